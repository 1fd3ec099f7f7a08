/*
 * A lookaside list is initialised, and then deleted.
 */
#include <ntddk.h>

static NPAGED_LOOKASIDE_LIST List;

static VOID Unload(PDRIVER_OBJECT Driver)
{
    ExDeleteNPagedLookasideList(&List);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, 64, 'eluR', 0);
    return STATUS_SUCCESS;
}
