/*
 * What a driver has handed to the kernel it takes back before it is unloaded.
 *
 * OPTIONS: --cpus 2
 */
#include <ntddk.h>

static KDPC Dpc;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeFlushQueuedDpcs();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeSetTargetProcessorDpc(&Dpc, 1);
    return STATUS_SUCCESS;
}
