/*
 * Writes to a block before it is freed.
 *
 * OPTIONS: --special-pool=off
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
    Block[8] = 0x11;
    ExFreePoolWithTag(Block, TAG);
    for (ULONG i = 0; i < 100; i++)
        ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 60, TAG), TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
