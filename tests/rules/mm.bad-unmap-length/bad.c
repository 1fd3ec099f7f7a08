/*
 * A mapping is undone as a whole.
 *
 * EXPECT: mm.bad-unmap bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static UCHAR Buffer[2 * PAGE_SIZE];

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    PVOID Mapping = MmMapIoSpace(MmGetPhysicalAddress(Buffer), 2 * PAGE_SIZE, MmCached);
    if (!Mapping)
        return STATUS_INSUFFICIENT_RESOURCES;
    MmUnmapIoSpace(Mapping, PAGE_SIZE); /* @ */
    return STATUS_SUCCESS;
}
