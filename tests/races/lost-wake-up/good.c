/*
 * Its twin: first cleared, then looked at.
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
        KeClearEvent(&changed);
        if (value)
            return;
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
