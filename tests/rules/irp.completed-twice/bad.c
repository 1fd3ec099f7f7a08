/*
 * An IRP completed twice: the second time its memory is somebody else's.
 *
 * EXPECT: irp\.completed-twice bad\.c:@ in Control
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    IoDeleteDevice(DriverObject->DeviceObject);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    IoCompleteRequest(Irp, IO_NO_INCREMENT); /* @ */
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;
    IO_STATUS_BLOCK Result;
    KEVENT Event;

    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    if (IoCallDriver(Device, IoBuildDeviceIoControlRequest(0, Device, NULL, 0, NULL, 0, FALSE, &Event, &Result)) ==
        STATUS_PENDING)
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    return STATUS_SUCCESS;
}
