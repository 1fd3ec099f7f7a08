/*
 * An exception that nobody handles stops the system.
 */
#include <ntddk.h>

static volatile ULONG Value, Other;
static volatile ULONG *volatile Pointer = &Other;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Value = *Pointer;
    return STATUS_SUCCESS;
}
