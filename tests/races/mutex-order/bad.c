/*
 * The same with fast mutexes, which do not spin: both threads sleep for ever.
 * DEPTH: 0 (the wrong order is seen in any run)
 * EXPECT: lock\.wrong-order|driver\.machine-stuck
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
    ExAcquireFastMutex(&entry);
    ExAcquireFastMutex(&table);
    ExReleaseFastMutex(&table);
    ExReleaseFastMutex(&entry);
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
