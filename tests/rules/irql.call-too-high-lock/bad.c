/*
 * Nothing waits for a lock at DISPATCH_LEVEL: whoever holds it may need this processor to release it. A fast mutex is
 * acquired under a spin lock; that nobody holds it, as here, is luck.
 *
 * EXPECT: irql.call-too-high bad.c:@ in Note
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static FAST_MUTEX Mutex;
static LONG Counter;

static __attribute__((noinline)) VOID Note(VOID)
{
    KIRQL Old;

    KeAcquireSpinLock(&Lock, &Old);
    ExAcquireFastMutex(&Mutex); /* @ */
    Counter++;
    ExReleaseFastMutex(&Mutex);
    KeReleaseSpinLock(&Lock, Old);
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
