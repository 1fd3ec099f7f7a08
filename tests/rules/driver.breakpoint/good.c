/*
 * Breakpoints are for a debugger: this driver looks whether one is there.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    if (!KdRefreshDebuggerNotPresent())
        DbgBreakPoint();
    return STATUS_SUCCESS;
}
