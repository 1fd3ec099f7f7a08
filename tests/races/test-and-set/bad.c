/*
 * The same with nothing between the two steps but the processor's next instruction.
 * DEPTH: 2
 * EXPECT: driver\.bugcheck|race\.data
 */
#include "../race.h"

static volatile LONG busy;
static LONG inside;

static VOID worker(PVOID context)
{
    if (busy)
        return;
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
