/*
 * A DPC that queues itself again at once is a loop without end: no thread runs any more.
 *
 * EXPECT: irql.raised-too-long
 */
#include <ntddk.h>

static KTIMER Timer;
static KDPC Dpc, Again;

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeCancelTimer(&Timer);
    KeRemoveQueueDpc(&Again);
}

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeInsertQueueDpc(&Again, NULL, NULL);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000000};

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeInitializeDpc(&Again, Routine, NULL);
    KeSetTimer(&Timer, Due, &Dpc);
    return STATUS_SUCCESS;
}
