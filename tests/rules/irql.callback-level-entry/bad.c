/*
 * A driver's routine returns at the level at which it was called. This DriverEntry does not.
 *
 * EXPECT: irql.callback-level .*in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeRaiseIrqlToDpcLevel();
    return STATUS_SUCCESS;
}
