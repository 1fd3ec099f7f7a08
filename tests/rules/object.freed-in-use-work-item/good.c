/*
 * Memory that the kernel still uses is not freed. Its routine frees it, when the worker thread needs it no more.
 */
#include <ntddk.h>

static KEVENT Done;

static VOID Routine(PVOID Item)
{
    ExFreePoolWithTag(Item, 'eluR');
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PWORK_QUEUE_ITEM Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), 'eluR');

    Driver->DriverUnload = Unload;
    if (!Item)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(Item, Routine, Item);
    ExQueueWorkItem(Item, DelayedWorkQueue);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    return STATUS_SUCCESS;
}
