/*
 * A driver's routine returns at the level at which it was called.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeLowerIrql(KeRaiseIrqlToDpcLevel());
    return STATUS_SUCCESS;
}
