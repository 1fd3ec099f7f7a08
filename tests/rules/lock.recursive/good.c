/*
 * A spin lock cannot be acquired twice by the same processor: it would wait for itself for ever. Inside, the lock is
 * expected to be held.
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static LONG Counter;

static __attribute__((noinline)) VOID CountLocked(VOID)
{
    Counter++;
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
    CountLocked();
    KeReleaseSpinLock(&Lock, Old);
    return STATUS_SUCCESS;
}
