/*
 * A work item is queued that ExInitializeWorkItem has not seen: only its routine is set.
 *
 * EXPECT: object.not-initialized bad.c:@ in DriverEntry
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
    ExFreePoolWithTag(Item, 'eluR');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), 'eluR');
    if (!Item)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    Item->WorkerRoutine = Work;
    Item->Parameter = NULL;
    ExQueueWorkItem(Item, DelayedWorkQueue); /* @ */
    return STATUS_SUCCESS;
}
