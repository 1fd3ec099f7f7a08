/*
 * There is no memory at this address, and a bad kernel address is no exception that a driver could handle.
 *
 * EXPECT: memory.invalid bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static volatile ULONG Value;
static volatile ULONG *volatile Pointer = (volatile ULONG *)0xffff800000001000;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Value = *Pointer; /* @ */
    return STATUS_SUCCESS;
}
