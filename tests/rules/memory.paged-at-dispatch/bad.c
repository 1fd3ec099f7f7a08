/*
 * Paged memory may be touched below DISPATCH_LEVEL only. This touches paged pool under a spin lock.
 *
 * EXPECT: memory.paged-at-dispatch bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static volatile ULONG Counter;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    volatile ULONG *Block = ExAllocatePoolWithTag(PagedPool, 64, 'eluR');

    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Block = 5;
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    Counter += *Block; /* @ */
    KeReleaseSpinLock(&Lock, Old);
    ExFreePoolWithTag((PVOID)Block, 'eluR');
    return STATUS_SUCCESS;
}
