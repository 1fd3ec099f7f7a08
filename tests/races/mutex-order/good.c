/*
 * Its twin: whoever holds the entry and wants the table only tries, and lets go of both when it can't have it.
 */
#include "../race.h"

static FAST_MUTEX table, entry;

static VOID insert(PVOID context)
{
    ExAcquireFastMutex(&table);
    ExAcquireFastMutex(&entry);
    ExReleaseFastMutex(&entry);
    ExReleaseFastMutex(&table);
}

static VOID remove(PVOID context)
{
    BOOLEAN done = FALSE;

    while (!done) {
        ExAcquireFastMutex(&entry);
        done = ExTryToAcquireFastMutex(&table);
        if (done)
            ExReleaseFastMutex(&table);
        ExReleaseFastMutex(&entry);
        if (!done)
            race_sleep(1);
    }
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    ExInitializeFastMutex(&table);
    ExInitializeFastMutex(&entry);
    race(insert, remove);
    return STATUS_SUCCESS;
}
