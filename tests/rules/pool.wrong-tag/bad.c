/*
 * Frees a block with another tag than it was allocated with.
 *
 * EXPECT: pool\.wrong-tag bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

#define TAG 'niwT'

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 60, TAG);

    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    ExFreePoolWithTag(Block, 'rehO');
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
