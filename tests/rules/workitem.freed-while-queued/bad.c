/*
 * Frees a work item that is still queued.
 *
 * EXPECT: workitem\.freed-while-queued bad\.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID NTAPI Work(PDEVICE_OBJECT Device, PVOID Context)
{
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;
    PIO_WORKITEM Item;
    KIRQL OldIrql;
    NTSTATUS Status = IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);

    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    Item = IoAllocateWorkItem(Device);
    if (Item) {
        KeRaiseIrql(DISPATCH_LEVEL, &OldIrql); /* the routine cannot run yet */
        IoQueueWorkItem(Item, Work, DelayedWorkQueue, Item);
        IoFreeWorkItem(Item); /* @ */
        KeLowerIrql(OldIrql);
    }
    return STATUS_SUCCESS;
}
