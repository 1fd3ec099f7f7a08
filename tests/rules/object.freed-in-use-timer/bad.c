/*
 * Memory that the kernel still uses is not freed. The timer in this block is set.
 *
 * EXPECT: object.freed-in-use bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};
    PKTIMER Timer = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Timer), 'eluR');

    Driver->DriverUnload = Unload;
    if (!Timer)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeTimer(Timer);
    KeSetTimer(Timer, Due, NULL);
    ExFreePoolWithTag(Timer, 'eluR'); /* @ */
    return STATUS_SUCCESS;
}
