/*
 * The work item is queued before the job it stands for is filled in.
 * DEPTH: 1
 * EXPECT: driver\.bugcheck
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
    ExQueueWorkItem(&job.item, DelayedWorkQueue);
    KeQueryPerformanceCounter(NULL);
    job.result = &result;
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    return STATUS_SUCCESS;
}
