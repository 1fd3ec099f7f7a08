/*
 * A driver for others gives up its own work, not the system.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    DbgPrint("giving up\n");
    return STATUS_SUCCESS;
}
