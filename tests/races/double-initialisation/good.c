/*
 * Its twin: whoever comes second gives his back.
 */
#include "../race.h"

static PVOID volatile table;

static PVOID get(VOID)
{
    PVOID made;

    if (table)
        return table;
    made = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'ecaR');
    if (made && InterlockedCompareExchangePointer(&table, made, NULL))
        ExFreePoolWithTag(made, 'ecaR');
    return table;
}

static VOID worker(PVOID context)
{
    get();
}

static VOID unload(PDRIVER_OBJECT driver)
{
    ExFreePoolWithTag(table, 'ecaR');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    race(worker, worker);
    return STATUS_SUCCESS;
}
