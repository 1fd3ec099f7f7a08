/*
 * Its twin: unload waits for the thread itself.
 */
#include "../race.h"

static KEVENT stop, stopped;
static PKTHREAD thread;

static VOID worker(PVOID context)
{
    KeWaitForSingleObject(&stop, Executive, KernelMode, FALSE, NULL);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    KeSetEvent(&stop, 0, FALSE);
    race_join(thread);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&stop, NotificationEvent, FALSE);
    KeInitializeEvent(&stopped, NotificationEvent, FALSE);
    thread = race_start(worker, NULL);
    return STATUS_SUCCESS;
}
