/*
 * Frees a work item in its own routine.
 */
#include <ntddk.h>

static VOID NTAPI Work(PDEVICE_OBJECT Device, PVOID Context)
{
    IoFreeWorkItem(Context);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;
    PIO_WORKITEM Item;
    NTSTATUS Status = IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);

    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    Item = IoAllocateWorkItem(Device);
    if (Item)
        IoQueueWorkItem(Item, Work, DelayedWorkQueue, Item);
    return STATUS_SUCCESS;
}
