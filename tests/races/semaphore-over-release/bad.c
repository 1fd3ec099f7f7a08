/*
 * A place is given back twice because two ways to do so race: the semaphore goes beyond its limit.
 * DEPTH: 1
 * EXPECT: driver\.exception|race\.data
 */
#include "../race.h"

static KSEMAPHORE places;
static volatile LONG returned;

/* Give the place back, once: the user may close, and the time may be up. */
static VOID give_back(PVOID context)
{
    if (!returned) {
        KeQueryPerformanceCounter(NULL);
        returned = 1;
        KeReleaseSemaphore(&places, 0, 1, FALSE);
    }
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSemaphore(&places, 0, 1);
    race(give_back, give_back);
    return STATUS_SUCCESS;
}
