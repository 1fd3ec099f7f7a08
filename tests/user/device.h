/* What the drivers here share: a device with a link, and the end of a request. */
#pragma once
#include <ntifs.h>
#include <ntddk.h>

#define CODE(Number, Method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (Number), Method, FILE_ANY_ACCESS)

static UNICODE_STRING LinkName;

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI Succeed(PDEVICE_OBJECT Device, PIRP Irp)
{
    return Finish(Irp, STATUS_SUCCESS, 0);
}

static VOID NTAPI UnloadDevice(PDRIVER_OBJECT Driver)
{
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(Driver->DeviceObject);
}

static NTSTATUS MakeDevice(PDRIVER_OBJECT Driver, PCWSTR Device, PCWSTR Link, PDRIVER_DISPATCH Control)
{
    UNICODE_STRING Name;
    PDEVICE_OBJECT Made;
    NTSTATUS Status;

    RtlInitUnicodeString(&Name, Device);
    RtlInitUnicodeString(&LinkName, Link);
    Status = IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Made);
    if (!NT_SUCCESS(Status))
        return Status;
    IoCreateSymbolicLink(&LinkName, &Name);
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLOSE] = Succeed;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = UnloadDevice;
    return STATUS_SUCCESS;
}
