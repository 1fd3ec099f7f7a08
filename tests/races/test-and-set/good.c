/*
 * Its twin: the processor does both in one instruction.
 */
#include "../race.h"

static volatile LONG busy;
static LONG inside;

static VOID worker(PVOID context)
{
    if (InterlockedBitTestAndSet(&busy, 0))
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
