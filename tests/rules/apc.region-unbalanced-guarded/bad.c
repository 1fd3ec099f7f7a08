/*
 * Each leaving of a guarded region belongs to one entering. This one was entered as a critical region.
 *
 * EXPECT: apc.region-unbalanced bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeEnterCriticalRegion();
    KeLeaveGuardedRegion(); /* @ */
    return STATUS_SUCCESS;
}
