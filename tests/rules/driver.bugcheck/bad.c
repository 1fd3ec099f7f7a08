/*
 * A driver for others gives up its own work, not the system.
 *
 * EXPECT: driver.bugcheck bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeBugCheckEx(0xDEADDEAD, 1, 2, 3, 4); /* @ */
    return STATUS_SUCCESS;
}
