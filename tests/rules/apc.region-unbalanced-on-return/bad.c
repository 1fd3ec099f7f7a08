/*
 * A routine leaves the critical regions it has entered. This DriverEntry does not.
 *
 * EXPECT: apc.region-unbalanced .*DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeEnterCriticalRegion();
    return STATUS_SUCCESS;
}
