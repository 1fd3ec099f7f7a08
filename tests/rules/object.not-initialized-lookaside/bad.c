/*
 * A lookaside list is deleted that nobody has initialised.
 *
 * EXPECT: object.not-initialized bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static NPAGED_LOOKASIDE_LIST List;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    ExDeleteNPagedLookasideList(&List); /* @ */
    return STATUS_SUCCESS;
}
