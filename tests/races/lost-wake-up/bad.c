/*
 * The watcher looks at the value, and then clears the event that announces changes: a change in between is never seen.
 * DEPTH: 2
 * EXPECT: driver\.machine-stuck
 */
#include "../race.h"

static KEVENT changed;
static volatile LONG value;

static VOID change(PVOID context)
{
    InterlockedExchange(&value, 1);
    KeSetEvent(&changed, 0, FALSE);
}

static VOID watch(PVOID context)
{
    for (;;) {
        if (value)
            return;
        KeClearEvent(&changed);
        KeWaitForSingleObject(&changed, Executive, KernelMode, FALSE, NULL);
    }
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeEvent(&changed, NotificationEvent, TRUE);
    race(watch, change);
    return STATUS_SUCCESS;
}
