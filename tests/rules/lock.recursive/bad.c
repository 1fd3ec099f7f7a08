/*
 * A spin lock cannot be acquired twice by the same processor: it would wait for itself for ever.
 *
 * EXPECT: lock.recursive bad.c:@ in Count
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static LONG Counter;

static __attribute__((noinline)) VOID Count(VOID)
{
    KIRQL Old;

    KeAcquireSpinLock(&Lock, &Old); /* @ */
    Counter++;
    KeReleaseSpinLock(&Lock, Old);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    Count();
    KeReleaseSpinLock(&Lock, Old);
    return STATUS_SUCCESS;
}
