/*
 * Allocates pool with a tag of zero.
 *
 * EXPECT: pool\.zero-tag bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 32, 0);

    if (Block)
        ExFreePool(Block);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
