/*
 * Its twin: filled in first.
 */
#include "../race.h"

static struct job {
    WORK_QUEUE_ITEM item;
    LONG *volatile result;
} job;
static LONG result;
static KEVENT done;

static VOID work(PVOID context)
{
    struct job *j = context;

    MUST(j->result != NULL);
    *j->result = 1;
    KeSetEvent(&done, 0, FALSE);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    ExInitializeWorkItem(&job.item, work, &job);
    job.result = &result;
    ExQueueWorkItem(&job.item, DelayedWorkQueue);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    return STATUS_SUCCESS;
}
