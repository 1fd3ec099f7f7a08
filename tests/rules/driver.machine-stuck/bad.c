/*
 * A wait needs somebody who ends it. Nobody sets this event, and no time-out ends the wait.
 *
 * EXPECT: driver.machine-stuck bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static KEVENT Event;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL); /* @ */
    return STATUS_SUCCESS;
}
