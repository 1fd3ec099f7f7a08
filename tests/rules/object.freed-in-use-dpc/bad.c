/*
 * Memory that the kernel still uses is not freed. The DPC in this block is queued.
 *
 * EXPECT: object.freed-in-use bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PKDPC Dpc = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Dpc), 'eluR');
    KIRQL Old;

    Driver->DriverUnload = Unload;
    if (!Dpc)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeDpc(Dpc, Routine, NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    KeInsertQueueDpc(Dpc, NULL, NULL);
    ExFreePoolWithTag(Dpc, 'eluR'); /* @ */
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
