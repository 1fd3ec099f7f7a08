/*
 * Breakpoints are for a debugger, and none is there. This one is an instruction of the driver.
 *
 * EXPECT: driver.breakpoint bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    __debugbreak(); /* @ */
    return STATUS_SUCCESS;
}
