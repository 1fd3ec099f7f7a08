/*
 * DriverEntry must return.
 */
#include <ntddk.h>

static KEVENT Event;
static KTIMER Timer;

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeCancelTimer(&Timer);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeInitializeTimer(&Timer);
    KeSetTimerEx(&Timer, Due, 100, NULL);
    KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, NULL);
    return STATUS_SUCCESS;
}
