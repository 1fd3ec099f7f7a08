/*
 * The length is compared with the array's size.
 */
#include <ntddk.h>

static ULONG64 Input[64];

static __attribute__((noinline)) ULONG64 Copy(const ULONG64 *From, ULONG Count)
{
    volatile ULONG64 Buffer[8];

    if (Count > RTL_NUMBER_OF(Buffer))
        Count = RTL_NUMBER_OF(Buffer);
    for (ULONG i = 0; i < Count; i++)
        Buffer[i] = From[i];
    return Buffer[Count & 7];
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    volatile ULONG Count = RTL_NUMBER_OF(Input);

    Driver->DriverUnload = Unload;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Input); i++)
        Input[i] = 0x4141414141414141;
    return Copy(Input, Count) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
