/*
 * A DPC that works for longer than any DPC may: everything it has to do, in one go.
 * EXPECT: dpc\.too-long bad\.c:@ in EverythingAtOnce
 */
#include <ntddk.h>

static KDPC Dpc;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI EverythingAtOnce(PKDPC Object, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    for (ULONG i = 0; i < 30000; i++)
        KeStallExecutionProcessor(1000); /* @ */
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeFlushQueuedDpcs();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    KeInitializeDpc(&Dpc, EverythingAtOnce, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
