/*
 * A reference given back twice while the handle still holds its own.
 * EXPECT: object.over-dereference bad.c:[0-9]+ in DriverEntry
 */
#include <ntifs.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    HANDLE Handle;
    PVOID Event;

    DriverObject->DriverUnload = Unload;
    ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE);
    ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Event, NULL);
    ObDereferenceObject(Event);
    ObDereferenceObject(Event);
    ZwClose(Handle);
    return STATUS_SUCCESS;
}
