/*
 * Allocates pool with the tag 'BIG ', which is the pool's own.
 *
 * EXPECT: pool\.reserved-tag bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 32, ' GIB');

    if (Block)
        ExFreePool(Block);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
