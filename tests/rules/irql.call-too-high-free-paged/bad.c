/*
 * Paged pool is allocated and freed at APC_LEVEL and below. Here it is freed under a spin lock.
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
    PVOID Block = ExAllocatePoolWithTag(PagedPool, 64, 'eluR');
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    if (Block)
        ExFreePoolWithTag(Block, 'eluR'); /* @ */
    KeReleaseSpinLock(&Lock, Old);
    return STATUS_SUCCESS;
}
