/*
 * The fast mutex is acquired first, the spin lock under it.
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static FAST_MUTEX Mutex;
static LONG Counter;

static __attribute__((noinline)) VOID Note(VOID)
{
    KIRQL Old;

    ExAcquireFastMutex(&Mutex);
    KeAcquireSpinLock(&Lock, &Old);
    Counter++;
    KeReleaseSpinLock(&Lock, Old);
    ExReleaseFastMutex(&Mutex);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    ExInitializeFastMutex(&Mutex);
    Note();
    return STATUS_SUCCESS;
}
