/*
 * Each leaving of a critical region belongs to one entering. This leaves twice.
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
    KeLeaveCriticalRegion();
    KeLeaveCriticalRegion(); /* @ */
    return STATUS_SUCCESS;
}
