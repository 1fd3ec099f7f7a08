/*
 * The file system of C:, continued: controls, byte range locks, notification, and its devices.
 */
#include "nt.h"
#include "io/fsd.h"

PDEVICE_OBJECT FsdDisk, FsdControlDevice;
PNOTIFY_SYNC FsdNotifySync;
LIST_ENTRY FsdNotifyList = {&FsdNotifyList, &FsdNotifyList};
static PDEVICE_OBJECT FsdVolume;

/* ---- Notification ------------------------------------------------------------------------------------------------ */

BOOLEAN FsdWiden(PCSTR Path, PUNICODE_STRING Name)
{
    PWSTR Wide = ExpTryAllocate((FSD_PATH + 1) * sizeof(WCHAR), FSD_TAG);
    if (!Wide)
        return FALSE;
    Wide[0] = L'\\';
    ULONG Characters = RtlpFromUtf8(Wide + 1, FSD_PATH, Path) + 1;
    for (ULONG i = 0; i < Characters; i++)
        if (Wide[i] == L'/')
            Wide[i] = L'\\';
    Name->Buffer = Wide;
    Name->Length = (USHORT)(Characters * sizeof(WCHAR));
    Name->MaximumLength = (FSD_PATH + 1) * sizeof(WCHAR);
    return TRUE;
}

VOID FsdReport(PCSTR Path, ULONG Filter, ULONG Action)
{
    UNICODE_STRING Name;
    if (IsListEmpty(&FsdNotifyList) || !FsdWiden(Path, &Name))
        return;
    USHORT Last = Name.Length / sizeof(WCHAR);
    while (Last && Name.Buffer[Last - 1] != L'\\')
        Last--;
    FsRtlNotifyFullReportChange(FsdNotifySync, &FsdNotifyList, (PSTRING)&Name, Last * sizeof(WCHAR), NULL, NULL, Filter,
                                Action, NULL);
    ExpFree(Name.Buffer);
}

/* ---- Locks ------------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI FsdLock(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFSD_FCB Fcb = FsdFcbOf(IoGetCurrentIrpStackLocation(Irp)->FileObject);
    if (!FsdIsFile(Fcb))
        return FsdFinish(Irp, STATUS_INVALID_PARAMETER, 0);
    NTSTATUS Status = Fcb->Oplock ? FsRtlCheckOplock(&Fcb->Oplock, Irp, NULL, NULL, NULL) : STATUS_SUCCESS;
    return Status == STATUS_SUCCESS ? FsRtlProcessFileLock(&Fcb->Lock, Irp, NULL) : FsdFinish(Irp, Status, 0);
}

/* ---- Controls ---------------------------------------------------------------------------------------------------- */

static BOOLEAN FsdIsOplockCode(ULONG Code)
{
    switch (Code) {
    case FSCTL_REQUEST_OPLOCK_LEVEL_1:
    case FSCTL_REQUEST_OPLOCK_LEVEL_2:
    case FSCTL_REQUEST_BATCH_OPLOCK:
    case FSCTL_REQUEST_FILTER_OPLOCK:
    case FSCTL_REQUEST_OPLOCK:
    case FSCTL_OPLOCK_BREAK_ACKNOWLEDGE:
    case FSCTL_OPLOCK_BREAK_ACK_NO_2:
    case FSCTL_OPBATCH_ACK_CLOSE_PENDING:
    case FSCTL_OPLOCK_BREAK_NOTIFY:
        return TRUE;
    }
    return FALSE;
}

static NTSTATUS FsdUserControl(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFSD_FCB Fcb = Stack->FileObject ? FsdFcbOf(Stack->FileObject) : NULL;
    ULONG Code = Stack->Parameters.FileSystemControl.FsControlCode;
    if (FsdIsOplockCode(Code)) {
        if (!FsdIsFile(Fcb))
            return FsdFinish(Irp, STATUS_INVALID_PARAMETER, 0);
        return FsRtlOplockFsctrl(&Fcb->Oplock, Irp,
                                 FsRtlOplockIsSharedRequest(Irp) ? FsRtlAreThereCurrentOrInProgressFileLocks(&Fcb->Lock)
                                                                 : Fcb->Handles);
    }
    switch (Code) {
    case FSCTL_IS_VOLUME_MOUNTED:
        return FsdFinish(Irp, STATUS_SUCCESS, 0);
    case FSCTL_IS_PATHNAME_VALID: /* docs: file systems answer yes */
        return FsdFinish(Irp, STATUS_SUCCESS, 0);
    case FSCTL_GET_REPARSE_POINT:
        return FsdFinish(Irp, STATUS_NOT_A_REPARSE_POINT, 0);
    case FSCTL_GET_COMPRESSION:
        if (Stack->Parameters.FileSystemControl.OutputBufferLength < sizeof(USHORT))
            return FsdFinish(Irp, STATUS_INVALID_PARAMETER, 0);
        *(PUSHORT)Irp->AssociatedIrp.SystemBuffer = COMPRESSION_FORMAT_NONE;
        return FsdFinish(Irp, STATUS_SUCCESS, sizeof(USHORT));
    }
    return FsdFinish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

NTSTATUS NTAPI FsdControl(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    switch (Stack->MinorFunction) {
    case IRP_MN_MOUNT_VOLUME: /* C: is mounted, and no other disk holds host files */
        return FsdFinish(Irp, STATUS_UNRECOGNIZED_VOLUME, 0);
    case IRP_MN_VERIFY_VOLUME:
        return FsdFinish(Irp, STATUS_SUCCESS, 0);
    case IRP_MN_USER_FS_REQUEST:
    case IRP_MN_KERNEL_CALL:
        return FsdUserControl(Irp, Stack);
    }
    return FsdFinish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

/* ---- Extended attributes ----------------------------------------------------------------------------------------- */

static NTSTATUS NTAPI FsdEa(PDEVICE_OBJECT Device, PIRP Irp)
{
    return FsdFinish(Irp, STATUS_EAS_NOT_SUPPORTED, 0);
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

/* Opened for a look at the device itself. */
static NTSTATUS NTAPI FsdDiskOpen(PDEVICE_OBJECT Device, PIRP Irp)
{
    return FsdFinish(Irp, STATUS_SUCCESS, 0);
}

static VOID FsdMakeDisk(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\HarddiskVolume1");
    PDRIVER_OBJECT Driver = IopMakeDriver(L"\\Driver\\HostVolume", NULL);
    Driver->MajorFunction[IRP_MJ_CREATE] = FsdDiskOpen;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = FsdDiskOpen;
    Driver->MajorFunction[IRP_MJ_CLOSE] = FsdDiskOpen;
    KI_ASSERT(NT_SUCCESS(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_DISK, FILE_DEVICE_IS_MOUNTED, FALSE, &FsdDisk)));
    FsdDisk->Flags &= ~DO_DEVICE_INITIALIZING;
}

VOID FsdInitialize(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\HostFiles");
    PDRIVER_OBJECT Driver = IopMakeDriver(L"\\FileSystem\\HostFiles", NULL);
    FsRtlNotifyInitializeSync(&FsdNotifySync);
    Driver->MajorFunction[IRP_MJ_CREATE] = FsdCreate;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = FsdCleanup;
    Driver->MajorFunction[IRP_MJ_CLOSE] = FsdClose;
    Driver->MajorFunction[IRP_MJ_READ] = FsdRead;
    Driver->MajorFunction[IRP_MJ_WRITE] = FsdWrite;
    Driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = FsdFlush;
    Driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = FsdQueryInformation;
    Driver->MajorFunction[IRP_MJ_SET_INFORMATION] = FsdSetInformation;
    Driver->MajorFunction[IRP_MJ_QUERY_VOLUME_INFORMATION] = FsdQueryVolume;
    Driver->MajorFunction[IRP_MJ_DIRECTORY_CONTROL] = FsdDirectory;
    Driver->MajorFunction[IRP_MJ_FILE_SYSTEM_CONTROL] = FsdControl;
    Driver->MajorFunction[IRP_MJ_LOCK_CONTROL] = FsdLock;
    Driver->MajorFunction[IRP_MJ_QUERY_EA] = FsdEa;
    Driver->MajorFunction[IRP_MJ_SET_EA] = FsdEa;
    FsdMakeDisk();
    KI_ASSERT(NT_SUCCESS(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &FsdControlDevice)));
    KI_ASSERT(NT_SUCCESS(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &FsdVolume)));
    FsdVolume->Flags &= ~DO_DEVICE_INITIALIZING;
    FsdVolume->StackSize = FsdDisk->StackSize + 1;
    FsdDisk->Vpb->DeviceObject = FsdVolume;
    FsdDisk->Vpb->SerialNumber = FSD_SERIAL;
    FsdDisk->Vpb->Flags |= VPB_MOUNTED;
    IopDeviceOf(FsdVolume)->Vpb = FsdDisk->Vpb;
    IoRegisterFileSystem(FsdControlDevice);
}
