/*
 * An exception that nobody handles stops the system. A user address that is not there is read without __try.
 *
 * EXPECT: driver.exception bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static volatile ULONG Value;
static volatile ULONG *volatile Pointer = (volatile ULONG *)0x10;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Value = *Pointer; /* @ */
    return STATUS_SUCCESS;
}
