/*
 * Memory that the kernel still uses is not freed.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PNPAGED_LOOKASIDE_LIST List = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*List), 'eluR');

    Driver->DriverUnload = Unload;
    if (!List)
        return STATUS_INSUFFICIENT_RESOURCES;
    ExInitializeNPagedLookasideList(List, NULL, NULL, 0, 64, 'kooL', 0);
    ExDeleteNPagedLookasideList(List);
    ExFreePoolWithTag(List, 'eluR');
    return STATUS_SUCCESS;
}
