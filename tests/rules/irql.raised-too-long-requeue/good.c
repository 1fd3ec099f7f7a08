/* A DPC comes back later by a timer, whose period is the shortest there is, and time goes on. */
#include <ntddk.h>

static KTIMER Timer;
static KDPC Dpc;

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -1};

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeSetTimerEx(&Timer, Due, 1, &Dpc);
    return STATUS_SUCCESS;
}
