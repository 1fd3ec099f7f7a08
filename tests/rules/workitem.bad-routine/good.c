/*
 * Initialises a work item before it is queued.
 */
#include <ntddk.h>

static WORK_QUEUE_ITEM Item;
static KEVENT Done;

static VOID NTAPI Work(PVOID Context)
{
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    ExInitializeWorkItem(&Item, Work, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
