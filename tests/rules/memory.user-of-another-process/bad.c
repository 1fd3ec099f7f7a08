/*
 * A user address is a place in its own process only. In a work item it is a place in the System process, or nothing.
 *
 * EXPECT: memory.user-of-another-process bad.c:@ in Work
 * OPTIONS: --scenario tests/rules/memory.user-of-another-process/scenario.lua
 */
#include <ntddk.h>

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Later"),
                      LinkName = RTL_CONSTANT_STRING(L"\\??\\Later");
static PIO_WORKITEM Item;

static VOID NTAPI Work(PDEVICE_OBJECT Device, PVOID Context)
{
    DbgPrint("%c\n", *(volatile char *)Context); /* @ */
}

static NTSTATUS Complete(PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI OpenClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    return Complete(Irp);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoQueueWorkItem(Item, Work, DelayedWorkQueue,
                    IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.Type3InputBuffer);
    return Complete(Irp);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoFreeWorkItem(Item);
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, 0, &DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);

    if (!NT_SUCCESS(Status))
        return Status;
    Item = IoAllocateWorkItem(Device);
    IoCreateSymbolicLink(&LinkName, &DeviceName);
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLOSE] = OpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
