/*
 * Makes a lookaside list of blocks too small for the list's own link.
 *
 * EXPECT: lookaside\.small-block bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static NPAGED_LOOKASIDE_LIST List;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, 4, 'niwT', 0);
    ExDeleteNPagedLookasideList(&List);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
