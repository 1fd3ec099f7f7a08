/*
 * An exception that nobody handles stops the system.
 *
 * EXPECT: driver.exception bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static volatile int Value, Divisor;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Value = 10 / Divisor; /* @ */
    return STATUS_SUCCESS;
}
