/*
 * A lock that is held for minutes: no single call is long, but the level never falls.
 * EXPECT: irql\.raised-too-long bad\.c:@ in DriverEntry
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
    KeAcquireSpinLock(&Lock, &OldIrql);
    for (ULONG i = 0; i < 13000; i++)
        KeStallExecutionProcessor(10000); /* @ */
    KeReleaseSpinLock(&Lock, OldIrql);
    return STATUS_SUCCESS;
}
