/*
 * A routine named AtDpcLevel does not raise the level itself: its caller must be at DISPATCH_LEVEL, or a DPC that wants
 * the same lock hangs its processor. At PASSIVE_LEVEL the plain form is right.
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KIRQL Old;

    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    KeReleaseSpinLock(&Lock, Old);
    return STATUS_SUCCESS;
}
