/*
 * Its twin: looking and setting are one step.
 */
#include "../race.h"

static volatile LONG busy;
static LONG inside;

static VOID worker(PVOID context)
{
    if (InterlockedCompareExchange(&busy, 1, 0) != 0)
        return;
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
