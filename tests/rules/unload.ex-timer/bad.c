/*
 * A timer of the system's is left behind.
 * EXPECT: unload\.ex-timer bad.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static PEX_TIMER Timer;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI OnTimer(PEX_TIMER Object, PVOID Context)
{
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    ExCancelTimer(Timer, NULL); /* the mistake: it is there still */
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    Timer = ExAllocateTimer(OnTimer, NULL, 0);
    ExSetTimer(Timer, -10000, 10000, NULL);
    return STATUS_SUCCESS;
}
