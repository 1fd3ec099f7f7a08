/*
 * Its twin: a spin lock around the increment.
 */
#include "../race.h"

static volatile LONG count;
static KSPIN_LOCK lock;

static VOID worker(PVOID context)
{
    KIRQL irql;

    for (int i = 0; i < 2; i++) {
        KeAcquireSpinLock(&lock, &irql);
        count++;
        KeReleaseSpinLock(&lock, irql);
    }
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSpinLock(&lock);
    race(worker, worker);
    MUST(count == 4);
    return STATUS_SUCCESS;
}
