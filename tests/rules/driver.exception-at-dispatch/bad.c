/*
 * An exception that nobody handles stops the system, at DISPATCH_LEVEL too.
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
    KIRQL Old;

    Driver->DriverUnload = Unload;
    Old = KeRaiseIrqlToDpcLevel();
    Value = 10 / Divisor; /* @ */
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
