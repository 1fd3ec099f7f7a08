/*
 * Queues a work item that is queued already. (At DISPATCH_LEVEL, so no worker thread can take it in between.)
 *
 * EXPECT: workitem\.queued-twice bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static WORK_QUEUE_ITEM Item;
static KEVENT Done;

static VOID NTAPI Work(PVOID Context)
{
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}
static KIRQL Irql;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    ExInitializeWorkItem(&Item, Work, NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    KeLowerIrql(Irql);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
