/*
 * Reads a block before it is freed.
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
    Block[8] = 1;
    Seen = Block[8];
    (void)Seen;
    ExFreePoolWithTag(Block, TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
