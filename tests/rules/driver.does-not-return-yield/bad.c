/*
 * DriverEntry must return. This one yields for ever: a wait of no time is none.
 *
 * EXPECT: driver.does-not-return bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static volatile LONG Ready;

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Interval = {.QuadPart = 0};

    while (!Ready)
        KeDelayExecutionThread(KernelMode, FALSE, &Interval); /* @ */
    return STATUS_SUCCESS;
}
