/*
 * An object that the kernel holds must outlive the routine that handed it over. A global variable lives as long as the
 * driver, which waits for the routine before it goes.
 */
#include <ntddk.h>

static KDPC Dpc;
static WORK_QUEUE_ITEM Item;
static KEVENT Done;

static VOID Routine(PVOID Context)
{
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID Queue(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    ExInitializeWorkItem(&Item, Routine, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    KeInitializeDpc(&Dpc, Queue, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
