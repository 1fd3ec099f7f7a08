/* Each reference is given back once. */
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
    ZwClose(Handle);
    return STATUS_SUCCESS;
}
