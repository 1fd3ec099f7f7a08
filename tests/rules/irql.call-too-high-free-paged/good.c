/*
 * Paged pool is allocated and freed at APC_LEVEL and below. Here it is freed after the lock.
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
    PVOID Block = ExAllocatePoolWithTag(PagedPool, 64, 'eluR');
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    KeReleaseSpinLock(&Lock, Old);
    if (Block)
        ExFreePoolWithTag(Block, 'eluR');
    return STATUS_SUCCESS;
}
