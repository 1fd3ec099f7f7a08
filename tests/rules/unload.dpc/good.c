/*
 * What a driver has handed to the kernel it takes back before it is unloaded.
 *
 * OPTIONS: --cpus 2
 */
#include <ntddk.h>

static KDPC Dpc;

static VOID NTAPI Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    if (!KeInsertQueueDpc(&Dpc, NULL, NULL))
        DbgPrint("the DPC is queued already\n");
    KeFlushQueuedDpcs();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeSetImportanceDpc(&Dpc, LowImportance);
    KeSetTargetProcessorDpc(&Dpc, 1);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
