/*
 * Code must not go on for long without returning or waiting. The DPC runs when the level falls.
 */
#include <ntddk.h>

static volatile BOOLEAN Done;
static KDPC Dpc;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Done = TRUE;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    KeInitializeDpc(&Dpc, Routine, NULL);
    Old = KeRaiseIrqlToDpcLevel();
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeLowerIrql(Old);
    while (!Done)
        ;
    return STATUS_SUCCESS;
}
