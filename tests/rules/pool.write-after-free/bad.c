/*
 * Writes to a block that was freed, while special pool is off: found when its memory is about to serve again.
 *
 * EXPECT: pool\.write-after-free bad\.c:[0-9]+ in DriverEntry
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
    ExFreePoolWithTag(Block, TAG);
    Block[8] = 0x11;
    for (ULONG i = 0; i < 100; i++)
        ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 60, TAG), TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
