/*
 * Makes, uses and deletes a lookaside list.
 */
#include <ntddk.h>

static NPAGED_LOOKASIDE_LIST List;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, 64, 'niwT', 0);
    ExFreeToNPagedLookasideList(&List, ExAllocateFromNPagedLookasideList(&List));
    ExDeleteNPagedLookasideList(&List);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
