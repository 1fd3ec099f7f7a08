/*
 * What image.c sees loaded.
 * EXPECT: loaded.sys starts
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    DbgPrint("loaded.sys starts\n");
    return STATUS_SUCCESS;
}
