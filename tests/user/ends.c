/* A device whose requests end as they are told to: at once or pending, well or not, with a request or without. */
#include "device.h"

typedef struct _WISH {
    NTSTATUS Status;
    ULONG Pending;
} WISH;

static FAST_IO_DISPATCH Fast;

static VOID NTAPI Later(PDEVICE_OBJECT Device, PVOID Context)
{
    Finish(Context, STATUS_DEVICE_NOT_READY, 0);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    WISH Wish = *(WISH *)Irp->AssociatedIrp.SystemBuffer;
    if (Wish.Pending)
        IoMarkIrpPending(Irp);
    Finish(Irp, Wish.Status, 0);
    return Wish.Pending ? STATUS_PENDING : Wish.Status;
}

static BOOLEAN NTAPI FastControl(PFILE_OBJECT File, BOOLEAN Wait, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes,
                                 ULONG Code, PIO_STATUS_BLOCK Iosb, PDEVICE_OBJECT Device)
{
    Iosb->Status = STATUS_SUCCESS;
    Iosb->Information = 0;
    return Code == CODE(1, METHOD_BUFFERED);
}

static NTSTATUS NTAPI QueryVolume(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_WORKITEM Item = Device->DeviceExtension;
    switch ((ULONG)IoGetCurrentIrpStackLocation(Irp)->Parameters.QueryVolume.FsInformationClass) {
    case FileFsSizeInformation:
        return Finish(Irp, STATUS_SUCCESS, sizeof(FILE_FS_SIZE_INFORMATION));
    case FileFsFullSizeInformation:
        IoMarkIrpPending(Irp);
        IoInitializeWorkItem(Device, Item);
        IoQueueWorkItem(Item, Later, DelayedWorkQueue, Irp);
        return STATUS_PENDING;
    default:
        return Finish(Irp, STATUS_NOT_IMPLEMENTED, 0);
    }
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Ends");
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, IoSizeofWorkItem(), &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlInitUnicodeString(&LinkName, L"\\??\\Ends");
    IoCreateSymbolicLink(&LinkName, &Name);
    Fast.SizeOfFastIoDispatch = sizeof(Fast);
    Fast.FastIoDeviceControl = FastControl;
    Driver->FastIoDispatch = &Fast;
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLOSE] = Succeed;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->MajorFunction[IRP_MJ_QUERY_VOLUME_INFORMATION] = QueryVolume;
    Driver->DriverUnload = UnloadDevice;
    return STATUS_SUCCESS;
}
