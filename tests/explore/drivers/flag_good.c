/* The twin of flag_bad: look and set in one step. */
#include "threads.h"

static volatile LONG initialised, started;

static VOID initialise_once(PVOID context)
{
    if (InterlockedCompareExchange(&initialised, 1, 0) == 0) {
        DbgPrint("thread %d initialises\n", (int)(ULONG_PTR)context);
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
