/*
 * A DPC for each processor that there may ever be, but there are fewer.
 * EXPECT: dpc\.no-such-processor bad\.c:@ in DriverEntry
 * OPTIONS: --cpus 2
 */
#include <ntddk.h>

static KDPC Dpc[64];

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI OnEach(PKDPC Object, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeFlushQueuedDpcs();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    ULONG Count = KeQueryMaximumProcessorCount();

    DriverObject->DriverUnload = Unload;
    for (ULONG i = 0; i < Count; i++) {
        KeInitializeDpc(&Dpc[i], OnEach, NULL);
        KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)i); /* @ */
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    return STATUS_SUCCESS;
}
