/*
 * An object that the kernel holds must outlive the routine that handed it over. This work item is a local variable of
 * DriverEntry, as on the talk's slide.
 *
 * EXPECT: object.stack-gone .*DriverEntry
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
    WORK_QUEUE_ITEM Item;

    Driver->DriverUnload = Unload;
    ExInitializeWorkItem(&Item, Routine, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    return STATUS_SUCCESS;
}
