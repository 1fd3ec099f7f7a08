/*
 * Its twin: the same order on both sides.
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
    both(&lock[0], &lock[1]);
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
