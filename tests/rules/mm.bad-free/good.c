/*
 * Frees contiguous memory.
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PHYSICAL_ADDRESS Highest = {.QuadPart = 0xffffffff};
    PVOID Block = MmAllocateContiguousMemory(20000, Highest);

    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlFillMemory(Block, 20000, 0x11);
    MmFreeContiguousMemory(Block);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
