/*
 * An object that the kernel holds must outlive the routine that handed it over. This DPC, queued at DISPATCH_LEVEL, is
 * a local variable of a routine that returns before it can run.
 *
 * EXPECT: object.stack-gone .*Queue
 */
#include <ntddk.h>

static KDPC Dpc;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Queue(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KDPC Inner;

    KeInitializeDpc(&Inner, Routine, NULL);
    KeInsertQueueDpc(&Inner, NULL, NULL);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeDpc(&Dpc, Queue, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
