/*
 * An exception that nobody handles stops the system, at DISPATCH_LEVEL too. Divisors are tested.
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
    Value = Divisor ? 10 / Divisor : 0;
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
