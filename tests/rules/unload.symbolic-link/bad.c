/*
 * A symbolic link that outlives its driver: the next load fails on it.
 * EXPECT: unload.symbolic-link bad.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\Left"), Target = RTL_CONSTANT_STRING(L"\\Device\\Left");

    DriverObject->DriverUnload = Unload;
    return IoCreateSymbolicLink(&Link, &Target);
}
