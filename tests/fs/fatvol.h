/*
 * The other half of the file system driver in fatfs.h: information about files, volumes (mounted, verified, locked,
 * dismounted, gone) and the dispatch routine.
 *
 * A volume that is retired - dismounted, or its medium is another one - leaves the disk to a new VPB at once, so that the
 * next open mounts again. The old VPB and the volume's device go with the last file, when the stream file object is closed.
 */
#pragma once
#include "fatfs.h"

/* ---- Information --------------------------------------------------------------------------------------------------- */

/* No lock: Mm asks while it holds the file's. */
static NTSTATUS Query(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFCB Fcb = Stack->FileObject->FsContext;
    PFILE_STANDARD_INFORMATION Standard = Irp->AssociatedIrp.SystemBuffer;
    if (Stack->Parameters.QueryFile.FileInformationClass != FileStandardInformation)
        return STATUS_INVALID_PARAMETER;
    *Standard = (FILE_STANDARD_INFORMATION){.AllocationSize = Fcb->Header.AllocationSize,
                                            .EndOfFile = Fcb->Header.FileSize,
                                            .NumberOfLinks = 1,
                                            .DeletePending = Fcb->Delete};
    Irp->IoStatus.Information = sizeof(*Standard);
    return STATUS_SUCCESS;
}

static NTSTATUS SetInformation(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFILE_OBJECT File = Stack->FileObject;
    PFCB Fcb = File->FsContext;
    PFILE_DISPOSITION_INFORMATION Disposition = Irp->AssociatedIrp.SystemBuffer;
    LARGE_INTEGER End = ((PFILE_END_OF_FILE_INFORMATION)Irp->AssociatedIrp.SystemBuffer)->EndOfFile;
    if (!Fcb->Entry)
        return STATUS_INVALID_PARAMETER;
    switch ((int)Stack->Parameters.SetFile.FileInformationClass) {
    case FileDispositionInformation:
        if (Disposition->DeleteFile && !MmFlushImageSection(&Fcb->Section, MmFlushForDelete))
            return STATUS_CANNOT_DELETE;
        Fcb->Delete = File->DeletePending = Disposition->DeleteFile;
        return STATUS_SUCCESS;
    case FileEndOfFileInformation:
        if (End.QuadPart < Fcb->Header.FileSize.QuadPart && !MmCanFileBeTruncated(&Fcb->Section, &End))
            return STATUS_USER_MAPPED_FILE;
        SetSize(File, Fcb, End.QuadPart);
        ZeroUpTo(File, Fcb, End);
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

static NTSTATUS Flush(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFCB Fcb = Stack->FileObject->FsContext;
    if (Fcb->Entry) {
        WriteEntry(Fcb);
        LeaveCache(Fcb, NULL, 0, FALSE);
    }
    LeaveCache(&Vcb->Volume, NULL, 0, FALSE);
    return STATUS_SUCCESS;
}

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

static NTSTATUS Mount(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PVPB Vpb = Stack->Parameters.MountVolume.Vpb;
    PDEVICE_OBJECT Disk = Stack->Parameters.MountVolume.DeviceObject, Device;
    BOOT_SECTOR *Boot = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Boot), 'sBTF');
    if (!Boot)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS Status = ReadBoot(Disk, Boot);
    if (NT_SUCCESS(Status))
        Status = IoCreateDevice(Driver, sizeof(VCB), NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Device);
    ULONG Serial = Boot->Serial;
    ExFreePool(Boot);
    if (!NT_SUCCESS(Status))
        return Status;
    PVCB Vcb = Device->DeviceExtension;
    *Vcb = (VCB){.Device = Device, .Disk = Disk, .Vpb = Vpb}; /* and the reference to Disk is ours now */
    ExInitializeResourceLite(&Vcb->Lock);
    InitializeListHead(&Vcb->Files);
    InitializeFcb(&Vcb->Volume, Vcb, 0, DATA_START * SECTOR);
    Vcb->Volume.Header.AllocationSize = Vcb->Volume.Header.FileSize;
    FsRtlAddLargeMcbEntry(&Vcb->Volume.Sectors, 0, 0, SECTORS);
    Device->StackSize = Disk->StackSize + 1;
    Device->Flags |= DO_DIRECT_IO;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    Vpb->DeviceObject = Device;
    Vpb->SerialNumber = Serial;
    Vcb->Metadata = IoCreateStreamFileObject(NULL, Vpb->RealDevice);
    Vcb->Metadata->FsContext = &Vcb->Volume;
    Vcb->Metadata->SectionObjectPointer = &Vcb->Volume.Section;
    StartCache(Vcb->Metadata, &Vcb->Volume);
    Vpb->RealDevice->Flags &= ~DO_VERIFY_VOLUME;
    Did.Mounts++;
    return STATUS_SUCCESS;
}

static VOID Forget(PFCB Fcb, BOOLEAN Keep)
{
    IO_STATUS_BLOCK Iosb;
    ExAcquireResourceExclusiveLite(&Fcb->Main, TRUE);
    if (Keep)
        CcFlushCache(&Fcb->Section, NULL, 0, &Iosb);
    CcPurgeCacheSection(&Fcb->Section, NULL, 0, FALSE);
    ExReleaseResourceLite(&Fcb->Main);
}

/* Everything that is cached goes; Keep: to the disk, the files first, since their entries lie in the volume's cache. */
static VOID ForgetAll(PVCB Vcb, BOOLEAN Keep)
{
    for (PLIST_ENTRY Link = Vcb->Files.Flink; Link != &Vcb->Files;) {
        PFCB Fcb = CONTAINING_RECORD(Link, FCB, Link);
        Fcb->Opens++; /* a purge may close the last file object */
        if (Keep && Fcb->Handles)
            WriteEntry(Fcb);
        Forget(Fcb, Keep);
        Link = Link->Flink;
        DropFcb(Fcb);
    }
    Forget(&Vcb->Volume, Keep);
}

static NTSTATUS Retire(PVCB Vcb, BOOLEAN Keep)
{
    KIRQL Irql;
    PVPB New = ExAllocatePoolWithTag(NonPagedPool, sizeof(*New), 'bpVF');
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    ForgetAll(Vcb, Keep);
    *New = (VPB){.Type = IO_TYPE_VPB, .Size = sizeof(*New), .RealDevice = Vcb->Vpb->RealDevice};
    IoAcquireVpbSpinLock(&Irql);
    Vcb->Vpb->RealDevice->Vpb = New;
    IoReleaseVpbSpinLock(Irql);
    Vcb->Gone = TRUE;
    return STATUS_SUCCESS;
}

/* A retired volume is used no more: it lets go of its cache; the close of the stream, which follows, takes the rest. */
static VOID LetGo(PVCB Vcb, BOOLEAN Stream)
{
    PFILE_OBJECT Metadata = InterlockedExchangePointer((PVOID *)&Vcb->Metadata, NULL);
    if (Metadata) {
        CcUninitializeCacheMap(Metadata, NULL, NULL);
        ObDereferenceObject(Metadata);
    }
    if (!Stream)
        return;
    Did.Teardowns++;
    DeleteFcb(&Vcb->Volume);
    ExDeleteResourceLite(&Vcb->Lock);
    ObDereferenceObject(Vcb->Disk);
    IoDeleteDevice(Vcb->Device);
}

static NTSTATUS Verify(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    BOOT_SECTOR *Boot = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Boot), 'sBTF');
    if (!Boot)
        return STATUS_INSUFFICIENT_RESOURCES;
    Did.Verifies++;
    NTSTATUS Status = ReadBoot(Vcb->Disk, Boot);
    BOOLEAN Same = NT_SUCCESS(Status) && Boot->Serial == Vcb->Vpb->SerialNumber;
    ExFreePool(Boot);
    if (Same) {
        Vcb->Vpb->RealDevice->Flags &= ~DO_VERIFY_VOLUME;
        return STATUS_SUCCESS;
    }
    if (!Vcb->Gone)
        Status = Retire(Vcb, FALSE); /* what is not written yet belongs to no medium that is here */
    return Status == STATUS_INSUFFICIENT_RESOURCES ? Status : STATUS_WRONG_VOLUME;
}

static NTSTATUS LockVolume(PVCB Vcb, PFILE_OBJECT File)
{
    KIRQL Irql;
    if (Vcb->Locker || Vcb->Handles > 1)
        return STATUS_ACCESS_DENIED;
    ForgetAll(Vcb, TRUE);
    IoAcquireVpbSpinLock(&Irql);
    Vcb->Vpb->Flags |= VPB_LOCKED;
    Vcb->Locker = File;
    IoReleaseVpbSpinLock(Irql);
    return STATUS_SUCCESS;
}

static NTSTATUS FileSystemControl(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFCB Fcb = Stack->FileObject ? Stack->FileObject->FsContext : NULL;
    if (Stack->MinorFunction == IRP_MN_VERIFY_VOLUME)
        return Verify(Vcb, Irp, Stack);
    if (Stack->MinorFunction != IRP_MN_USER_FS_REQUEST && Stack->MinorFunction != IRP_MN_KERNEL_CALL)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (Vcb->Gone)
        return STATUS_VOLUME_DISMOUNTED;
    if (Stack->Parameters.FileSystemControl.FsControlCode == FSCTL_IS_VOLUME_MOUNTED)
        return CheckMedium(Vcb);
    if (Fcb->Entry)
        return STATUS_INVALID_PARAMETER; /* a file's handle is no volume's */
    switch (Stack->Parameters.FileSystemControl.FsControlCode) {
    case FSCTL_LOCK_VOLUME:
        return LockVolume(Vcb, Stack->FileObject);
    case FSCTL_UNLOCK_VOLUME:
        if (Vcb->Locker != Stack->FileObject)
            return STATUS_NOT_LOCKED;
        UnlockVolume(Vcb);
        return STATUS_SUCCESS;
    case FSCTL_DISMOUNT_VOLUME: /* without the lock it is forced upon who has files open */
        if (Vcb->Locker && Vcb->Locker != Stack->FileObject)
            return STATUS_ACCESS_DENIED;
        return Retire(Vcb, TRUE);
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}

/* ---- Dispatch ---------------------------------------------------------------------------------------------------- */

typedef NTSTATUS ROUTINE(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack);

static const struct {
    ROUTINE *Routine;
    BOOLEAN File;   /* holds Fcb->Main besides Vcb->Lock */
    BOOLEAN Shared; /* holds them shared */
    BOOLEAN Gone;   /* is answered when the volume is gone, too */
} Answers[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
    [IRP_MJ_CREATE] = {Create, FALSE, FALSE, TRUE},
    [IRP_MJ_CLEANUP] = {Cleanup, TRUE, FALSE, TRUE},
    [IRP_MJ_CLOSE] = {Close, FALSE, FALSE, TRUE},
    [IRP_MJ_READ] = {Read, TRUE, TRUE, FALSE},
    [IRP_MJ_WRITE] = {Write, TRUE, FALSE, FALSE},
    [IRP_MJ_SET_INFORMATION] = {SetInformation, TRUE, FALSE, FALSE},
    [IRP_MJ_FLUSH_BUFFERS] = {Flush, TRUE, FALSE, FALSE},
    [IRP_MJ_FILE_SYSTEM_CONTROL] = {FileSystemControl, FALSE, FALSE, TRUE},
};

static VOID Acquire(PERESOURCE Resource, BOOLEAN Shared)
{
    if (Shared)
        ExAcquireResourceSharedLite(Resource, TRUE);
    else
        ExAcquireResourceExclusiveLite(Resource, TRUE);
}

static NTSTATUS Guarded(ROUTINE *Routine, PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    __try {
        return Routine(Vcb, Irp, Stack);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return GetExceptionCode();
    }
}

static NTSTATUS Answer(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    UCHAR Major = Stack->MajorFunction;
    PFCB Fcb = Stack->FileObject ? Stack->FileObject->FsContext : NULL;
    NTSTATUS Status;
    if (Irp->Flags & IRP_PAGING_IO && (Major == IRP_MJ_READ || Major == IRP_MJ_WRITE)) {
        ExAcquireResourceSharedLite(&Fcb->Paging, TRUE);
        Status = Paging(Fcb, Irp, Stack);
        ExReleaseResourceLite(&Fcb->Paging);
        return Status;
    }
    if (Major == IRP_MJ_QUERY_INFORMATION)
        return Query(Vcb, Irp, Stack);
    if ((Major == IRP_MJ_CLEANUP || Major == IRP_MJ_CLOSE) && (!Fcb || !Stack->FileObject->FsContext2))
        return STATUS_SUCCESS; /* the stream file object */
    if (Major == IRP_MJ_SET_INFORMATION && Stack->Parameters.SetFile.AdvanceOnly)
        return STATUS_SUCCESS; /* Cc tells what has been written; the entry gets the size at cleanup and at a flush */
    if (!Answers[Major].Routine)
        return STATUS_INVALID_DEVICE_REQUEST;
    Acquire(&Vcb->Lock, Answers[Major].Shared);
    if (Answers[Major].File)
        Acquire(&Fcb->Main, Answers[Major].Shared);
    Status =
        Vcb->Gone && !Answers[Major].Gone ? STATUS_VOLUME_DISMOUNTED : Guarded(Answers[Major].Routine, Vcb, Irp, Stack);
    if (Answers[Major].File)
        ExReleaseResourceLite(&Fcb->Main);
    ExReleaseResourceLite(&Vcb->Lock);
    return Status;
}

/* The outermost request: nothing is held, so the volume can be verified. */
static NTSTATUS AnswerVerified(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    NTSTATUS Status = Answer(Vcb, Irp, Stack);
    if (Status != STATUS_VERIFY_REQUIRED)
        return Status;
    PDEVICE_OBJECT Device = IoGetDeviceToVerify(PsGetCurrentThread());
    IoSetDeviceToVerify(PsGetCurrentThread(), NULL);
    Irp->IoStatus.Information = 0;
    if (!Device)
        return Status;
    Status = IoVerifyVolume(Device, FALSE);
    if (Stack->MajorFunction == IRP_MJ_CREATE && Vcb->Gone) {
        Irp->IoStatus.Information = IO_REMOUNT;
        return STATUS_REPARSE;
    }
    return NT_SUCCESS(Status) ? Answer(Vcb, Irp, Stack) : Status;
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PVCB Vcb = Device == Drive || Device == Control ? NULL : Device->DeviceExtension;
    BOOLEAN Stream = Stack->MajorFunction == IRP_MJ_CLOSE && !Stack->FileObject->FsContext2, Top = FALSE;
    NTSTATUS Status = STATUS_INVALID_DEVICE_REQUEST;
    FsRtlEnterFileSystem();
    if (Vcb)
        InterlockedIncrement(&Vcb->References);
    Irp->IoStatus.Information = 0;
    if (Device == Drive)
        Status = DriveAnswer(Irp, Stack);
    else if ((Top = !IoGetTopLevelIrp()))
        IoSetTopLevelIrp(Irp);
    if (Vcb)
        Status = Top ? AnswerVerified(Vcb, Irp, Stack) : Answer(Vcb, Irp, Stack);
    else if (Device == Control && Stack->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL &&
             Stack->MinorFunction == IRP_MN_MOUNT_VOLUME)
        Status = Mount(Irp, Stack);
    if (Top)
        IoSetTopLevelIrp(NULL);
    if (!NT_SUCCESS(Status))
        Irp->IoStatus.Information = 0;
    Irp->IoStatus.Status = Status;
    IoCompleteRequest(Irp, IO_DISK_INCREMENT);
    if (Vcb && InterlockedDecrement(&Vcb->References) == 0 && Vcb->Gone)
        LetGo(Vcb, Stream);
    FsRtlExitFileSystem();
    return Status;
}
