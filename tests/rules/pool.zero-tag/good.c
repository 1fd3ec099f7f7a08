/*
 * Allocates pool with a tag that can be read.
 */
#include <ntddk.h>

#define TAG 'niwT'

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 32, TAG);

    if (Block)
        ExFreePool(Block);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
