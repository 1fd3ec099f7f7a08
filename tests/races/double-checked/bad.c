/*
 * Double-checked locking: the flag that is looked at without the lock is set before what it announces is there.
 * DEPTH: 1
 * EXPECT: driver\.bugcheck
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
            ready = 1;
            cache = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'ecaR');
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
