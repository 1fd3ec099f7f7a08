/*
 * An I/O work item that lies in the driver's own memory (IoInitializeWorkItem) must stay until its routine has begun. Its
 * routine may free it.
 */
#include <ntifs.h>

static VOID Routine(PVOID Object, PVOID Context, PIO_WORKITEM Item)
{
    IoUninitializeWorkItem(Item);
    ExFreePoolWithTag(Item, 'meti');
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PDEVICE_OBJECT Device;
    PIO_WORKITEM Item;
    KIRQL Irql;

    Driver->DriverUnload = Unload;
    if (!NT_SUCCESS(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device)))
        return STATUS_UNSUCCESSFUL;
    Item = ExAllocatePoolWithTag(NonPagedPoolNx, IoSizeofWorkItem(), 'meti');
    if (!Item)
        return STATUS_INSUFFICIENT_RESOURCES;
    IoInitializeWorkItem(Device, Item);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    IoQueueWorkItemEx(Item, Routine, DelayedWorkQueue, NULL);
    KeLowerIrql(Irql);
    return STATUS_SUCCESS;
}
