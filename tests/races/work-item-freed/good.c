/*
 * Its twin: unload waits until the routine is done, however long that takes.
 */
#include "../race.h"

static struct job {
    LONG rounds;
    KEVENT finished;
} * job;
static PIO_WORKITEM item;
static PDEVICE_OBJECT device;

static VOID work(PDEVICE_OBJECT object, PVOID context)
{
    struct job *j = context;

    for (LONG i = 0; i < j->rounds; i++)
        KeQueryPerformanceCounter(NULL);
    KeSetEvent(&j->finished, 0, FALSE);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    IoQueueWorkItem(item, work, DelayedWorkQueue, job);
    KeWaitForSingleObject(&job->finished, Executive, KernelMode, FALSE, NULL);
    IoFreeWorkItem(item);
    ExFreePoolWithTag(job, 'ecaR');
    IoDeleteDevice(device);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NTSTATUS status;

    driver->DriverUnload = unload;
    status = IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    item = IoAllocateWorkItem(device);
    job = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*job), 'ecaR');
    MUST(item && job);
    job->rounds = 3;
    KeInitializeEvent(&job->finished, NotificationEvent, FALSE);
    return STATUS_SUCCESS;
}
