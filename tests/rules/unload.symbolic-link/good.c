/* The same link, deleted in the unload routine. */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\Left");

    IoDeleteSymbolicLink(&Link);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\Left"), Target = RTL_CONSTANT_STRING(L"\\Device\\Left");

    DriverObject->DriverUnload = Unload;
    return IoCreateSymbolicLink(&Link, &Target);
}
