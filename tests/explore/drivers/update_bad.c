/*
 * A lost update: each thread reads a count, sets an event, and writes the count it knows plus one.
 * BOUND: 2
 * EXPECT: driver.bugcheck
 */
#include "threads.h"

static volatile LONG count;
static KEVENT done;

static VOID add(PVOID context)
{
    for (int i = 0; i < 3; i++) {
        LONG before = count;
        KeSetEvent(&done, IO_NO_INCREMENT, FALSE);
        count = before + 1;
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    if (count != 6)
        KeBugCheckEx(0xE2, 2, (ULONG_PTR)count, 0, 0);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    return run_two_threads(add);
}
