/*
 * DriverEntry must return. This one polls for ever, and waits between two looks, so that nothing seems to hang.
 *
 * EXPECT: driver.does-not-return bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static volatile LONG Ready;

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Interval = {.QuadPart = -10000};

    while (!Ready)
        KeDelayExecutionThread(KernelMode, FALSE, &Interval); /* @ */
    return STATUS_SUCCESS;
}
