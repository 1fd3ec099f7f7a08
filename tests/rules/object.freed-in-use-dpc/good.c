/*
 * Memory that the kernel still uses is not freed. It has run before.
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
    KeLowerIrql(Old);
    KeFlushQueuedDpcs();
    ExFreePoolWithTag(Dpc, 'eluR');
    return STATUS_SUCCESS;
}
