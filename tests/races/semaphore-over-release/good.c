/*
 * Its twin: only the first of the two gives it back.
 */
#include "../race.h"

static KSEMAPHORE places;
static volatile LONG returned;

/* Give the place back, once: the user may close, and the time may be up. */
static VOID give_back(PVOID context)
{
    if (InterlockedExchange(&returned, 1) == 0)
        KeReleaseSemaphore(&places, 0, 1, FALSE);
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
