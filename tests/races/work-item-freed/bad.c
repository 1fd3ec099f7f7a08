/*
 * The work item is freed after a time-out, however long the queue may be: it may not have run yet.
 * DEPTH: 1
 * EXPECT: object\.freed-in-use|unload\.work-?item|driver\.unloaded-running|memory\.unloaded
 */
#include "../race.h"

static PIO_WORKITEM item;
static PDEVICE_OBJECT device;
static volatile LONG done;
static KEVENT finished;

static VOID work(PDEVICE_OBJECT object, PVOID context)
{
    done = 1;
    KeSetEvent(&finished, 0, FALSE);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    LARGE_INTEGER soon = MILLISECONDS(1);

    IoQueueWorkItem(item, work, DelayedWorkQueue, NULL);
    KeWaitForSingleObject(&finished, Executive, KernelMode, FALSE, &soon);
    IoFreeWorkItem(item);
    IoDeleteDevice(device);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NTSTATUS status;

    driver->DriverUnload = unload;
    KeInitializeEvent(&finished, NotificationEvent, FALSE);
    status = IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    item = IoAllocateWorkItem(device);
    return STATUS_SUCCESS;
}
