/*
 * Check, then act: a flag says that somebody is inside. It is looked at and set in two steps, with a call between them.
 * DEPTH: 2
 * EXPECT: driver\.bugcheck
 */
#include "../race.h"

static volatile LONG busy;
static LONG inside;

static VOID worker(PVOID context)
{
    if (busy)
        return;
    KeQueryPerformanceCounter(NULL);
    busy = 1;
    MUST(InterlockedIncrement(&inside) == 1);
    KeQueryPerformanceCounter(NULL);
    InterlockedDecrement(&inside);
    busy = 0;
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    race(worker, worker);
    return STATUS_SUCCESS;
}
