/*
 * Check, then act: two threads that each want to be the one who initialises look at a flag, and set it one kernel call
 * later. Nothing keeps the second from looking in between.
 * BOUND: 1
 * EXPECT: driver.bugcheck
 */
#include "threads.h"

static volatile LONG initialised, started;

static VOID initialise_once(PVOID context)
{
    if (!initialised) {
        DbgPrint("thread %d initialises\n", (int)(ULONG_PTR)context);
        initialised = 1;
        if (InterlockedIncrement(&started) != 1)
            KeBugCheckEx(0xE2, 1, 0, 0, 0);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    return run_two_threads(initialise_once);
}
