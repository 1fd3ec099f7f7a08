/*
 * Its twin: unload waits until it has run, however long that takes.
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
    IoQueueWorkItem(item, work, DelayedWorkQueue, NULL);
    KeWaitForSingleObject(&finished, Executive, KernelMode, FALSE, NULL);
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
