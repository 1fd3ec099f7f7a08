/*
 * Unload waits for an event that the thread sets when it is done; but the thread still has to return from the call, in
 * code that is gone by then.
 * DEPTH: 1
 * EXPECT: unload\.thread|memory\.unloaded
 */
#include "../race.h"

static KEVENT stop, stopped;
static PKTHREAD thread;

static VOID worker(PVOID context)
{
    KeWaitForSingleObject(&stop, Executive, KernelMode, FALSE, NULL);
    KeSetEvent(&stopped, 0, FALSE);
    KeQueryPerformanceCounter(NULL);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    KeSetEvent(&stop, 0, FALSE);
    KeWaitForSingleObject(&stopped, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(thread);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&stop, NotificationEvent, FALSE);
    KeInitializeEvent(&stopped, NotificationEvent, FALSE);
    thread = race_start(worker, NULL);
    return STATUS_SUCCESS;
}
