/*
 * An exception that nobody handles stops the system. Divisors are tested.
 */
#include <ntddk.h>

static volatile int Value, Divisor;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Value = Divisor ? 10 / Divisor : 0;
    return STATUS_SUCCESS;
}
