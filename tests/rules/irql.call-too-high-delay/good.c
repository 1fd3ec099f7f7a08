/*
 * A DPC cannot sleep: nothing else could run on its processor. It sets a timer and goes on in that timer's DPC.
 */
#include <ntddk.h>

static KTIMER Timer;
static KDPC Dpc, LaterDpc;

static VOID Later(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LARGE_INTEGER Delay = {.QuadPart = -10000};

    KeSetTimer(&Timer, Delay, &LaterDpc);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeInitializeDpc(&LaterDpc, Later, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
