/*
 * There is no memory at this address, and a bad kernel address is no exception that a driver could handle.
 * The pointer is set before it is followed.
 */
#include <ntddk.h>

static volatile ULONG Value;
static volatile ULONG *volatile Pointer = &Value;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Value = *Pointer;
    return STATUS_SUCCESS;
}
