/*
 * Its twin: the flag comes last. Looking at it without the lock is no mistake on this processor.
 */
#include "../race.h"

static volatile LONG ready;
static struct {
    PVOID block;
} *volatile cache;
static FAST_MUTEX lock;

static VOID get(PVOID context)
{
    if (!ready) {
        ExAcquireFastMutex(&lock);
        if (!ready) {
            cache = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'ecaR');
            KeMemoryBarrier();
            ready = 1;
        }
        ExReleaseFastMutex(&lock);
    }
    MUST(cache != NULL);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    ExFreePoolWithTag(cache, 'ecaR');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    ExInitializeFastMutex(&lock);
    race(get, get);
    return STATUS_SUCCESS;
}
