/*
 * One thread acquires a mutex and another releases it, meaning to hand it over; or the first ends before, still owning it.
 * DEPTH: 0
 * EXPECT: mutex\.not-owned|driver\.exception|lock\.thread-ends-holding|driver\.bugcheck|mutex\..*
 */
#include "../race.h"

static KMUTEX gate;
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
    KeReleaseMutex(&gate, FALSE);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&go, SynchronizationEvent, FALSE);
    KeInitializeMutex(&gate, 0);
    race(first, second);
    return STATUS_SUCCESS;
}
