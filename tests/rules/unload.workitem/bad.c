/*
 * What a driver has handed to the kernel it takes back before it is unloaded. This one's routine still waits.
 *
 * EXPECT: unload.workitem .*
 */
#include <ntddk.h>

static WORK_QUEUE_ITEM Item;
static KEVENT Done;

static VOID Routine(PVOID Context)
{
    LARGE_INTEGER Delay = {.QuadPart = -10000};

    KeDelayExecutionThread(KernelMode, FALSE, &Delay);
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Item, Routine, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
