/*
 * Its twin: a semaphore has no owner, so it may be handed over.
 */
#include "../race.h"

static KSEMAPHORE gate;
static KEVENT go;

static VOID first(PVOID context)
{
    KeWaitForSingleObject(&gate, Executive, KernelMode, FALSE, NULL);
    KeSetEvent(&go, 0, FALSE);
    KeQueryPerformanceCounter(NULL);
}

static VOID second(PVOID context)
{
    KeWaitForSingleObject(&go, Executive, KernelMode, FALSE, NULL);
    KeReleaseSemaphore(&gate, 0, 1, FALSE);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&go, SynchronizationEvent, FALSE);
    KeInitializeSemaphore(&gate, 1, 1);
    race(first, second);
    return STATUS_SUCCESS;
}
