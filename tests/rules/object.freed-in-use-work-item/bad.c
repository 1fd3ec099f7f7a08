/*
 * Memory that the kernel still uses is not freed. The work item in this block is queued.
 *
 * EXPECT: object.freed-in-use bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Routine(PVOID Context)
{
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PWORK_QUEUE_ITEM Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), 'eluR');
    KIRQL Old;

    Driver->DriverUnload = Unload;
    if (!Item)
        return STATUS_INSUFFICIENT_RESOURCES;
    ExInitializeWorkItem(Item, Routine, NULL);
    Old = KeRaiseIrqlToDpcLevel(); /* no worker thread gets the processor */
    ExQueueWorkItem(Item, DelayedWorkQueue);
    ExFreePoolWithTag(Item, 'eluR'); /* @ */
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
