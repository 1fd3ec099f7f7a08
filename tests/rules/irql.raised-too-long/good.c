/*
 * The lock is released between two parts of the work.
 */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KSPIN_LOCK Lock;
    KIRQL OldIrql;

    DriverObject->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    for (ULONG i = 0; i < 13000; i++) {
        KeAcquireSpinLock(&Lock, &OldIrql);
        KeStallExecutionProcessor(10000);
        KeReleaseSpinLock(&Lock, OldIrql);
    }
    return STATUS_SUCCESS;
}
