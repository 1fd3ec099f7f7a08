/*
 * The next look comes by a timer.
 */
#include <ntddk.h>

static KDPC Dpc;
static KTIMER Timer;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI Poll(PKDPC Object, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeStallExecutionProcessor(50);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    LARGE_INTEGER Soon = {.QuadPart = -10000};

    DriverObject->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Poll, NULL);
    KeSetTimerEx(&Timer, Soon, 10, &Dpc);
    return STATUS_SUCCESS;
}
