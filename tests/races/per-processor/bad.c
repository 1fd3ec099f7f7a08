/*
 * Data of the processor, used at PASSIVE_LEVEL: another thread may run on this processor meanwhile, or this one may go on
 * on another.
 * DEPTH: 1
 * EXPECT: driver\.bugcheck|race\.data
 */
#include "../race.h"

static struct {
    volatile LONG in_use;
    volatile LONG scratch;
} slot[64];

static VOID worker(PVOID context)
{
    LONG mine = (LONG)(LONG_PTR)PsGetCurrentThreadId();
    ULONG number = KeGetCurrentProcessorNumber();

    slot[number].scratch = mine;
    KeQueryPerformanceCounter(NULL);
    MUST(slot[number].scratch == mine);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    PKTHREAD third = race_start(worker, NULL);

    race(worker, worker);
    race_join(third);
    return STATUS_SUCCESS;
}
