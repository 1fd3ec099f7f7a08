/*
 * A high-resolution timer is given an absolute time.
 * EXPECT: timer\.bad-request bad\.c:@ in DriverEntry
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
    LARGE_INTEGER Time;

    DriverObject->DriverUnload = Unload;
    KeQuerySystemTime(&Time);
    Time.QuadPart += 10000;
    ExSetTimer(Timer, Time.QuadPart, 0, NULL); /* @ */
    ExDeleteTimer(Timer, TRUE, TRUE, NULL);
    return STATUS_SUCCESS;
}
