/*
 * Code must not go on for long without returning or waiting. This waits at DISPATCH_LEVEL for a DPC of its own
 * processor.
 *
 * EXPECT: driver.spins bad.c:[0-9]+ in DriverEntry
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
    while (!Done) /* @ */
        ;
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
