/*
 * Memory that the kernel still uses is not freed. The DPC in this block belongs to a timer that is set.
 *
 * EXPECT: object.freed-in-use bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static KTIMER Timer;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};
    PKDPC Dpc = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Dpc), 'eluR');

    Driver->DriverUnload = Unload;
    if (!Dpc)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(Dpc, Routine, NULL);
    KeSetTimer(&Timer, Due, Dpc);
    ExFreePoolWithTag(Dpc, 'eluR'); /* @ */
    return STATUS_SUCCESS;
}
