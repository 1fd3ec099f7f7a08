/*
 * Asks for zero bytes of pool.
 *
 * EXPECT: pool\.zero-bytes bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

#define TAG 'niwT'

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 0, TAG);

    if (Block)
        ExFreePoolWithTag(Block, TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
