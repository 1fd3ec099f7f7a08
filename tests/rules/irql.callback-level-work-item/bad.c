/*
 * A driver's routine returns at the level at which it was called. This work item's does not.
 *
 * EXPECT: irql.callback-level .*in Routine
 */
#include <ntddk.h>

static WORK_QUEUE_ITEM Item;
static KEVENT Done;

static VOID Routine(PVOID Context)
{
    KIRQL Old = KeRaiseIrqlToDpcLevel();

    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
    (VOID) Old;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Item, Routine, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    return STATUS_SUCCESS;
}
