/*
 * Writes past the end of a block and the rest of its page, where the closed page begins: found at the very
 * instruction.
 *
 * EXPECT: pool\.overrun bad\.c:[0-9]+ in DriverEntry
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
    Block[64] = 0x11;
    ExFreePoolWithTag(Block, TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
