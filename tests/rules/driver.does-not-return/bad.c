/*
 * DriverEntry must return. This one waits for something that never comes, while a timer keeps the machine going.
 *
 * EXPECT: driver.does-not-return bad.c:@ in DriverEntry
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
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL); /* @ */
    return STATUS_SUCCESS;
}
