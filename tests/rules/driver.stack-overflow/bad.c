/*
 * A kernel stack is small: 24 KiB for all drivers of a stack together. This routine wants 32.
 *
 * EXPECT: driver.stack-overflow .*
 */
#include <ntddk.h>

static __attribute__((noinline)) ULONG Recurse(volatile ULONG Depth)
{
    volatile UCHAR Buffer[512];

    Buffer[0] = (UCHAR)Depth;
    return Depth ? Recurse(Depth - 1) + Buffer[0] : 0;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    DbgPrint("%u\n", Recurse(100));
    return STATUS_SUCCESS;
}
