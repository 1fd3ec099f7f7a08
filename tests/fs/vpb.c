/*
 * Volume parameter blocks change hands: a file system puts a block of its own in place of the first one, as it does when a
 * volume is dismounted under open files, and the replaced one goes with the last file that was opened by it. What this driver
 * allocated and nobody freed would be a finding at its end. (docs: VPB; VPB_PERSISTENT: its file system frees it itself)
 */
#include "../io/test.h"

static IO_STATUS_BLOCK Iosb;
static PDEVICE_OBJECT Disk, Control, Volume[3];
static ULONG Mounts, Left = 99; /* files on the volume, as the last close has seen it */

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = STATUS_SUCCESS;
    if (Device == Control && Stack->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL) {
        PVPB Vpb = Stack->Parameters.MountVolume.Vpb;
        Status = STATUS_UNRECOGNIZED_VOLUME;
        if (Stack->MinorFunction == IRP_MN_MOUNT_VOLUME && Vpb->RealDevice == Disk) {
            OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Volume[Mounts]));
            Volume[Mounts]->Flags &= ~DO_DEVICE_INITIALIZING;
            Vpb->DeviceObject = Volume[Mounts++];
            ObDereferenceObject(Stack->Parameters.MountVolume.DeviceObject);
            Status = STATUS_SUCCESS;
        }
    }
    if (Stack->MajorFunction == IRP_MJ_CLOSE && Stack->FileObject->Vpb) {
        PVPB Vpb = Stack->FileObject->Vpb;
        Left = Vpb->ReferenceCount;
        if (!Left && (Vpb->Flags & VPB_PERSISTENT))
            ExFreePool(Vpb); /* as file systems do that have kept it for themselves */
    }
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static PVPB Replace(VOID)
{
    KIRQL Irql;
    PVPB Old, New = ExAllocatePoolWithTag(NonPagedPool, sizeof(*New), 'bpVT');
    RtlZeroMemory(New, sizeof(*New));
    New->Type = IO_TYPE_VPB;
    New->Size = sizeof(*New);
    New->RealDevice = Disk;
    IoAcquireVpbSpinLock(&Irql);
    Old = Disk->Vpb;
    Disk->Vpb = New;
    IoReleaseVpbSpinLock(Irql);
    return Old;
}

static HANDLE Open(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\VpbDisk\\f");
    OBJECT_ATTRIBUTES Object;
    HANDLE File = NULL;
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateFile(&File, GENERIC_READ | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, FILE_OPEN,
                    FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    return File;
}

static VOID a_replaced_block_goes_with_its_last_file(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\VpbDisk"), FsName = RTL_CONSTANT_STRING(L"\\VpbFs");
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_DISK, 0, FALSE, &Disk));
    Disk->Flags &= ~DO_DEVICE_INITIALIZING;
    OK(IoCreateDevice(Driver, 0, &FsName, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Control));
    IoRegisterFileSystem(Control);
    ExFreePool(Replace()); /* the I/O manager's own, which nothing has used */
    HANDLE First = Open(), Second = Open();
    PVPB Mounted = Replace();
    CHECK(Mounts == 1 && Mounted->ReferenceCount == 2 && (Mounted->Flags & VPB_MOUNTED));
    HANDLE Third = Open(); /* mounts anew */
    CHECK(Mounts == 2 && Disk->Vpb->ReferenceCount == 1 && Disk->Vpb->DeviceObject == Volume[1]);
    OK(ZwClose(First));
    CHECK(Mounted->ReferenceCount == 1 && Left == 1);
    OK(ZwClose(Second)); /* and the block is gone */
    CHECK(Left == 0);
    OK(ZwClose(Third));
    CHECK(Disk->Vpb->ReferenceCount == 0); /* on the device it stays */
}

static VOID a_persistent_block_stays(VOID)
{
    HANDLE File = Open();
    PVPB Kept = Replace();
    Kept->Flags |= VPB_PERSISTENT;
    Left = 99;
    OK(ZwClose(File)); /* which frees it */
    CHECK(Left == 0);
    IoUnregisterFileSystem(Control);
    IoDeleteDevice(Control);
    IoDeleteDevice(Volume[0]);
    IoDeleteDevice(Volume[1]);
    IoDeleteDevice(Disk);
}

TEST_MAIN(a_replaced_block_goes_with_its_last_file, a_persistent_block_stays)
