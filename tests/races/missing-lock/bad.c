/*
 * Missing lock: two threads count with a plain increment, which reads, adds and writes.
 * DEPTH: 1
 * EXPECT: race\.data|driver\.bugcheck
 */
#include "../race.h"

static volatile LONG count;

static VOID worker(PVOID context)
{
    for (int i = 0; i < 2; i++) {
        count++;
    }
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    race(worker, worker);
    MUST(count == 4);
    return STATUS_SUCCESS;
}
