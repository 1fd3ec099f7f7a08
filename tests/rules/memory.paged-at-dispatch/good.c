/*
 * Touches paged pool before it takes the spin lock.
 */
#include <ntddk.h>

#define TAG 'niwT'

static KSPIN_LOCK Lock;
static volatile ULONG Shared;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PULONG Block = ExAllocatePoolWithTag(PagedPool, 64, TAG);
    ULONG Value;
    KIRQL Irql;

    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeSpinLock(&Lock);
    Block[0] = 1;
    Value = Block[0];
    KeAcquireSpinLock(&Lock, &Irql);
    Shared = Value;
    KeReleaseSpinLock(&Lock, Irql);
    ExFreePoolWithTag(Block, TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
