/*
 * Paged pool is allocated and freed at APC_LEVEL and below. Here it is allocated under a spin lock.
 *
 * EXPECT: (irql.call-too-high|pool.at-level) bad.c:@ in DriverEntry
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
    PVOID Block = ExAllocatePoolWithTag(PagedPool, 64, 'eluR'); /* @ */
    KeReleaseSpinLock(&Lock, Old);
    if (Block)
        ExFreePoolWithTag(Block, 'eluR');
    return STATUS_SUCCESS;
}
