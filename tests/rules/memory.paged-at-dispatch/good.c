/*
 * Paged memory may be touched below DISPATCH_LEVEL only. What is needed under the lock is read before.
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
    ULONG Value = *Block;
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    Counter += Value;
    KeReleaseSpinLock(&Lock, Old);
    ExFreePoolWithTag((PVOID)Block, 'eluR');
    return STATUS_SUCCESS;
}
