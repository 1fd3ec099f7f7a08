/*
 * A work item is initialised before it is queued.
 */
#include <ntddk.h>

static KEVENT Done;
static PWORK_QUEUE_ITEM Item;

static VOID Work(PVOID Context)
{
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    ExFreePoolWithTag(Item, 'eluR');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), 'eluR');
    if (!Item)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(Item, Work, NULL);
    ExQueueWorkItem(Item, DelayedWorkQueue);
    return STATUS_SUCCESS;
}
