/* Handles are closed: of a key at once, of a thread once its object is referenced, of a file at unload. */
#include <ntifs.h>
#include <ntddk.h>

static PVOID Thread;
static HANDLE Event;

static VOID NTAPI Run(PVOID Context)
{
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
    ZwClose(Event);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Handle;

    DriverObject->DriverUnload = Unload;
    InitializeObjectAttributes(&Attributes, RegistryPath, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (NT_SUCCESS(ZwOpenKey(&Handle, KEY_READ, &Attributes)))
        ZwClose(Handle);
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE);
    PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, &Attributes, NULL, NULL, Run, NULL);
    ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, &Thread, NULL);
    return ZwClose(Handle);
}
