/*
 * The driver whose device raises an NMI says so. This one's callback does not know its own.
 *
 * EXPECT: machine.nmi.*
 * OPTIONS: --scenario tests/rules/machine.nmi/scenario.lua
 */
#include <ntddk.h>

static PVOID Callback;

static BOOLEAN Nmi(PVOID Context, BOOLEAN Handled)
{
    return Handled;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeDeregisterNmiCallback(Callback);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Callback = KeRegisterNmiCallback(Nmi, NULL);
    return Callback ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}
