/*
 * Made at first use: two threads both find nothing and both make it. One is lost.
 * DEPTH: 1
 * EXPECT: pool\.leak|race\.data
 */
#include "../race.h"

static PVOID volatile table;

static PVOID get(VOID)
{
    if (!table)
        table = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'ecaR');
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
