/*
 * A wait that may block needs APC_LEVEL or below; with a time-out of zero DISPATCH_LEVEL is allowed. This one only
 * looks.
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static KEVENT Event;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Timeout = {.QuadPart = 0};
    KIRQL Old;

    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeAcquireSpinLock(&Lock, &Old);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Timeout);
    KeReleaseSpinLock(&Lock, Old);
    return STATUS_SUCCESS;
}
