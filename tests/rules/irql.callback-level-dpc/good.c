/*
 * A driver's routine returns at the level at which it was called.
 */
#include <ntddk.h>

static KDPC Dpc;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KIRQL Old;

    KeRaiseIrql(HIGH_LEVEL, &Old);
    KeLowerIrql(Old);
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
