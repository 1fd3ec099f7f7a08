/*
 * An APC runs in the thread's own context, in the middle of what the thread takes for its critical section.
 * DEPTH: 1
 * EXPECT: driver\.bugcheck
 */
#include "../race.h"

typedef enum { OriginalApcEnvironment } APC_ENVIRONMENT;
NTKERNELAPI VOID KeInitializeApc(PKAPC, PKTHREAD, APC_ENVIRONMENT, PVOID, PVOID, PVOID, KPROCESSOR_MODE, PVOID);
NTKERNELAPI BOOLEAN KeInsertQueueApc(PKAPC, PVOID, PVOID, KPRIORITY);

static KAPC apc;
static volatile LONG busy, left;
static PKTHREAD target;
static KEVENT started;

static VOID kernel_routine(PKAPC self, PKNORMAL_ROUTINE *normal, PVOID *context, PVOID *one, PVOID *two)
{
}

static VOID normal_routine(PVOID context, PVOID one, PVOID two)
{
    MUST(!busy);
    InterlockedIncrement(&left);
}

static VOID worker(PVOID context)
{
    target = KeGetCurrentThread();
    KeSetEvent(&started, 0, FALSE);
    busy = 1;
    KeQueryPerformanceCounter(NULL);
    busy = 0;
    while (!left)
        race_sleep(1);
}

static VOID sender(PVOID context)
{
    KeWaitForSingleObject(&started, Executive, KernelMode, FALSE, NULL);
    KeInitializeApc(&apc, target, OriginalApcEnvironment, kernel_routine, NULL, normal_routine, KernelMode, NULL);
    KeInsertQueueApc(&apc, NULL, NULL, 0);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&started, NotificationEvent, FALSE);
    race(worker, sender);
    return STATUS_SUCCESS;
}
