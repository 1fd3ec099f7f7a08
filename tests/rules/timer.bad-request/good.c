/*
 * A relative time.
 */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PEX_TIMER Timer = ExAllocateTimer(NULL, NULL, EX_TIMER_HIGH_RESOLUTION);

    DriverObject->DriverUnload = Unload;
    ExSetTimer(Timer, -10000, 0, NULL);
    ExDeleteTimer(Timer, TRUE, TRUE, NULL);
    return STATUS_SUCCESS;
}
