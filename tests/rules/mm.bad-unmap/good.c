/*
 * A mapping is undone once.
 */
#include <ntddk.h>

static UCHAR Buffer[PAGE_SIZE];

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    PVOID Mapping = MmMapIoSpace(MmGetPhysicalAddress(Buffer), 16, MmCached);
    if (!Mapping)
        return STATUS_INSUFFICIENT_RESOURCES;
    MmUnmapIoSpace(Mapping, 16);
    return STATUS_SUCCESS;
}
