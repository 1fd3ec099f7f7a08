/*
 * The same work in parts: each DPC does a little, and a timer brings the next.
 */
#include <ntddk.h>

static KDPC Dpc;
static KTIMER Timer;
static ULONG Left = 30000;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI SomeOfIt(PKDPC Object, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LARGE_INTEGER Soon = {.QuadPart = -10000};

    for (ULONG i = 0; i < 100 && Left; i++, Left--)
        KeStallExecutionProcessor(1000);
    if (Left)
        KeSetTimer(&Timer, Soon, &Dpc);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, SomeOfIt, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
