/*
 * What a driver has handed to the kernel it takes back before it is unloaded. This timer goes on.
 *
 * EXPECT: unload.timer .*
 */
#include <ntddk.h>

static KTIMER Timer;
static KDPC Dpc;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeSetTimerEx(&Timer, Due, 100, &Dpc);
    return STATUS_SUCCESS;
}
