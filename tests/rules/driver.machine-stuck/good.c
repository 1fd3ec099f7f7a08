/*
 * A wait needs somebody who ends it. The time-out ends it.
 */
#include <ntddk.h>

static KEVENT Event;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Timeout = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Timeout);
    return STATUS_SUCCESS;
}
