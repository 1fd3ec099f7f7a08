/*
 * Touches paged pool while it holds a spin lock.
 *
 * EXPECT: memory\.paged-at-dispatch bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

#define TAG 'niwT'

static KSPIN_LOCK Lock;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PULONG Block = ExAllocatePoolWithTag(PagedPool, 64, TAG);
    KIRQL Irql;

    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Irql);
    Block[0] = 1;
    KeReleaseSpinLock(&Lock, Irql);
    ExFreePoolWithTag(Block, TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
