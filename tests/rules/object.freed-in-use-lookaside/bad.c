/*
 * Memory that the kernel still uses is not freed. The lookaside list in this block has not been deleted.
 *
 * EXPECT: object.freed-in-use bad.c:@ in DriverEntry
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
    ExFreePoolWithTag(List, 'eluR'); /* @ */
    return STATUS_SUCCESS;
}
