/*
 * An uncorrected machine check ends the machine, whatever its drivers do. The operator asks for one.
 *
 * EXPECT: machine.check.*
 * OPTIONS: --scenario tests/rules/machine.check/scenario.lua
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
