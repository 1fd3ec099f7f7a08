/*
 * What IoCallDriver is given is an IRP. This driver has memory of its own for one.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteDevice(Driver->DeviceObject);
}

static NTSTATUS FlushBuffers(PDEVICE_OBJECT Device, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS Completed(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID Send(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoGetNextIrpStackLocation(Irp)->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
    IoSetCompletionRoutine(Irp, Completed, NULL, TRUE, TRUE, TRUE);
    IoCallDriver(Device, Irp);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    Driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = FlushBuffers;
    USHORT Size = IoSizeOfIrp(1);
    PIRP Irp = ExAllocatePoolWithTag(NonPagedPoolNx, Size, 'eluR');
    if (!Irp)
        return STATUS_SUCCESS;
    IoInitializeIrp(Irp, Size, 1);
    Send(Device, Irp);
    ExFreePoolWithTag(Irp, 'eluR');
    return STATUS_SUCCESS;
}
