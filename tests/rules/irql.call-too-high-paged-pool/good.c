/*
 * Paged pool is allocated and freed at APC_LEVEL and below. Under a spin lock nonpaged pool must do.
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'eluR');
    KeReleaseSpinLock(&Lock, Old);
    if (Block)
        ExFreePoolWithTag(Block, 'eluR');
    return STATUS_SUCCESS;
}
