/*
 * Queues a work item that it has not initialised: the routine to call is NULL.
 *
 * EXPECT: workitem\.bad-routine bad\.c:@ in DriverEntry
 */
#include <ntddk.h>

static WORK_QUEUE_ITEM Item;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExQueueWorkItem(&Item, DelayedWorkQueue); /* @ */
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
