/*
 * Its twin: the level is raised, so nothing else runs here and the thread stays.
 */
#include "../race.h"

static struct {
    volatile LONG in_use;
    volatile LONG scratch;
} slot[64];

static VOID worker(PVOID context)
{
    LONG mine = (LONG)(LONG_PTR)PsGetCurrentThreadId();
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    ULONG number = KeGetCurrentProcessorNumber();

    slot[number].scratch = mine;
    KeQueryPerformanceCounter(NULL);
    MUST(slot[number].scratch == mine);
    KeLowerIrql(irql);
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
