/*
 * A DPC that queues itself again whenever it runs: each is short, but the level never falls.
 * EXPECT: irql\.raised-too-long .*
 */
#include <ntddk.h>

static KDPC Dpc;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI Poll(PKDPC Object, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeStallExecutionProcessor(50);
    KeInsertQueueDpc(Object, NULL, NULL);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeRemoveQueueDpc(&Dpc);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    KeInitializeDpc(&Dpc, Poll, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
