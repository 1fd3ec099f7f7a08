/*
 * A driver's routine returns at the level at which it was called. This dispatch routine does not.
 *
 * EXPECT: irql.callback-level .*in Create
 */
#include <ntddk.h>

static PDEVICE_OBJECT Device;

static NTSTATUS Create(PDEVICE_OBJECT Which, PIRP Irp)
{
    KIRQL Old = KeRaiseIrqlToDpcLevel();

    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    (VOID) Old;
    return STATUS_SUCCESS;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteDevice(Device);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Rule");
    PDEVICE_OBJECT Top;
    PFILE_OBJECT File;

    Driver->MajorFunction[IRP_MJ_CREATE] = Create;
    IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    if (NT_SUCCESS(IoGetDeviceObjectPointer(&Name, FILE_READ_ATTRIBUTES, &File, &Top)))
        ObDereferenceObject(File);
    return STATUS_SUCCESS;
}
