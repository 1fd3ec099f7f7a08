/*
 * What early.c calls good.
 * EXPECT: early_good.sys starts
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    DbgPrint("early_good.sys starts\n");
    return STATUS_SUCCESS;
}
