/*
 * Reads a block that was freed.
 *
 * EXPECT: pool\.use-after-free bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

#define TAG 'niwT'

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 60, TAG);
    volatile UCHAR Seen;

    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    ExFreePoolWithTag(Block, TAG);
    Seen = Block[8];
    (void)Seen;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
