/*
 * A DPC cannot sleep: nothing else could run on its processor. This one tries.
 *
 * EXPECT: irql.call-too-high bad.c:@ in Routine
 */
#include <ntddk.h>

static KDPC Dpc;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LARGE_INTEGER Delay = {.QuadPart = -10000};

    KeDelayExecutionThread(KernelMode, FALSE, &Delay); /* @ */
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
