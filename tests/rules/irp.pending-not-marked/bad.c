/*
 * STATUS_PENDING for an IRP that is not marked.
 * EXPECT: irp.pending-not-marked bad.c:[0-9]+ in Control
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    IoDeleteDevice(DriverObject->DeviceObject);
}

static PIRP Kept;

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    Kept = Irp;
    return STATUS_PENDING;
}

static VOID Later(VOID)
{
    Kept->IoStatus.Status = STATUS_SUCCESS;
    Kept->IoStatus.Information = 0;
    IoCompleteRequest(Kept, IO_NO_INCREMENT);
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
        STATUS_PENDING) {
        Later();
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    }
    return STATUS_SUCCESS;
}
