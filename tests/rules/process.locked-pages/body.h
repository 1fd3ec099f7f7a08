/* A driver that keeps a program's buffer locked from its request until Release is called. */
#include <ntddk.h>

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Keeper"),
                      LinkName = RTL_CONSTANT_STRING(L"\\??\\Keeper");
static PMDL Kept;

static VOID Release(VOID)
{
    if (!Kept)
        return;
    MmUnlockPages(Kept);
    IoFreeMdl(Kept);
    Kept = NULL;
}

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI OpenClose(PDEVICE_OBJECT Device, PIRP Irp)
{
#ifdef RELEASE_AT_CLEANUP
    if (IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_CLEANUP)
        Release();
#endif
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS Keep(PVOID Buffer, ULONG Bytes)
{
    Kept = IoAllocateMdl(Buffer, Bytes, FALSE, FALSE, NULL); /* @ */
    if (!Kept)
        return STATUS_INSUFFICIENT_RESOURCES;
    MmProbeAndLockPages(Kept, UserMode, IoWriteAccess);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);

    return Complete(Irp, Keep(Stack->Parameters.DeviceIoControl.Type3InputBuffer,
                              Stack->Parameters.DeviceIoControl.InputBufferLength));
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    Release();
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, 0, &DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);

    if (!NT_SUCCESS(Status))
        return Status;
    IoCreateSymbolicLink(&LinkName, &DeviceName);
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLOSE] = OpenClose;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = OpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
