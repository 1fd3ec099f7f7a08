/*
 * An object that the kernel holds must outlive the routine that handed it over. This work item is a local variable of a
 * DPC, as on the talk's slide, and no worker thread can run before the DPC has returned.
 *
 * EXPECT: object.stack-gone bad.c:[0-9]+ in Queue
 */
#include <ntddk.h>

static KDPC Dpc;

static VOID Routine(PVOID Context)
{
}

static VOID Queue(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    WORK_QUEUE_ITEM Item;

    ExInitializeWorkItem(&Item, Routine, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
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
