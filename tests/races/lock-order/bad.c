/*
 * Lock order: one thread takes the first lock and then the second, another the second and then the first. When each has
 * got its first one, both spin for ever.
 * DEPTH: 0 (the wrong order is seen in any run; the deadlock itself takes 2)
 * EXPECT: lock\.wrong-order|lock\.never-released
 */
#include "../race.h"

static KSPIN_LOCK lock[2];

static VOID both(KSPIN_LOCK *first, KSPIN_LOCK *second)
{
    KIRQL irql;

    KeAcquireSpinLock(first, &irql);
    KeAcquireSpinLockAtDpcLevel(second);
    KeReleaseSpinLockFromDpcLevel(second);
    KeReleaseSpinLock(first, irql);
}

static VOID one(PVOID context)
{
    both(&lock[0], &lock[1]);
}

static VOID other(PVOID context)
{
    both(&lock[1], &lock[0]);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSpinLock(&lock[0]);
    KeInitializeSpinLock(&lock[1]);
    race(one, other);
    return STATUS_SUCCESS;
}
