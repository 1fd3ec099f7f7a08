/*
 * The file services: read, write, control, information.
 *
 * Each makes one IRP for the top of the file's device stack. A file opened for synchronous I/O is locked meanwhile, its
 * position moves with it, and the service waits; otherwise the request may be pending when the service returns.
 *
 * The caller is a driver or a program (ExGetPreviousMode): a program's buffers and status block are addresses of its
 * process that must be writable now and may be gone later, its handles need the access that the request takes.
 */
#include "nt.h"

typedef struct _IOP_CALLER {
    PFILE_OBJECT File;
    PDEVICE_OBJECT Device;
    PKEVENT Event;
    BOOLEAN Synchronous;
    KPROCESSOR_MODE Mode;
    PIO_APC_ROUTINE Apc;
    PVOID ApcContext;
} IOP_CALLER, *PIOP_CALLER;

/* Reference the file and the event, lock the file if it is synchronous. */
static NTSTATUS IopBegin(PIOP_CALLER Caller, HANDLE Handle, ULONG Access, HANDLE EventHandle)
{
    NTSTATUS Status;
    *Caller = (IOP_CALLER){.Mode = ExGetPreviousMode()};
    Status = ObReferenceObjectByHandle(Handle, Access, IopFileType, Caller->Mode, (PVOID *)&Caller->File, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (EventHandle) {
        Status = ObReferenceObjectByHandle(EventHandle, EVENT_MODIFY_STATE, ObpEventType, Caller->Mode,
                                           (PVOID *)&Caller->Event, NULL);
        if (!NT_SUCCESS(Status)) {
            ObfDereferenceObject(Caller->File);
            return Status;
        }
        KeClearEvent(Caller->Event);
    }
    Caller->Device = IoGetRelatedDeviceObject(Caller->File);
    Caller->Synchronous = (Caller->File->Flags & FO_SYNCHRONOUS_IO) != 0;
    return Caller->Synchronous ? IopLockFile(Caller->File) : STATUS_SUCCESS;
}

/* Give up what IopBegin took, without a request. */
static NTSTATUS IopAbandon(PIOP_CALLER Caller, PIRP Irp, NTSTATUS Status)
{
    if (Irp) {
        if (Irp->Flags & IRP_DEALLOCATE_BUFFER)
            IopFree(Irp->AssociatedIrp.SystemBuffer);
        if (Irp->MdlAddress)
            IoFreeMdl(Irp->MdlAddress); /* not locked: that was what failed */
        IoFreeIrp(Irp);
    }
    if (Caller->Synchronous)
        IopUnlockFile(Caller->File);
    if (Caller->Event)
        ObfDereferenceObject(Caller->Event);
    ObfDereferenceObject(Caller->File);
    return Status;
}

/* The same for a request that may be pending when the service returns. */
static NTSTATUS IopBeginAsync(PIOP_CALLER Caller, HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                              PIO_STATUS_BLOCK Iosb)
{
    NTSTATUS Status = ExGetPreviousMode() == KernelMode ? STATUS_SUCCESS : MmProbeUser(Iosb, sizeof(*Iosb), 8, TRUE);
    if (NT_SUCCESS(Status))
        Status = IopBegin(Caller, Handle, 0, Event);
    if (!NT_SUCCESS(Status))
        return Status;
    Caller->Apc = Apc;
    Caller->ApcContext = Context;
    if (Apc && Caller->File->CompletionContext) /* one or the other */
        return IopAbandon(Caller, NULL, STATUS_INVALID_PARAMETER);
    return Status;
}

static BOOLEAN IopHasAccess(HANDLE Handle, ULONG Access)
{
    PVOID File;
    if (!NT_SUCCESS(ObReferenceObjectByHandle(Handle, Access, IopFileType, UserMode, &File, NULL)))
        return FALSE;
    ObfDereferenceObject(File);
    return TRUE;
}

static NTSTATUS IopMayTransfer(PIOP_CALLER Caller, HANDLE Handle, BOOLEAN Read)
{
    if (Caller->Mode == KernelMode || IopHasAccess(Handle, Read ? FILE_READ_DATA : FILE_WRITE_DATA) ||
        (!Read && IopHasAccess(Handle, FILE_APPEND_DATA)))
        return STATUS_SUCCESS;
    return STATUS_ACCESS_DENIED;
}

static PIRP IopNewIrp(PIOP_CALLER Caller, UCHAR Major, UCHAR Minor, PIO_STACK_LOCATION *Stack)
{
    PIRP Irp = IopAllocateIrp(Caller->Device->StackSize, Caller->File);
    if (!Irp)
        return NULL;
    *Stack = IoGetNextIrpStackLocation(Irp);
    (*Stack)->MajorFunction = Major;
    (*Stack)->MinorFunction = Minor;
    Irp->UserEvent = Caller->Event;
    Irp->RequestorMode = Caller->Mode;
    Irp->Overlay.AsynchronousParameters.UserApcRoutine = Caller->Apc;
    Irp->Overlay.AsynchronousParameters.UserApcContext = Caller->ApcContext;
    Irp->Flags = IRP_DEFER_IO_COMPLETION;
    if (Caller->Synchronous)
        Irp->Flags |= IRP_SYNCHRONOUS_API;
    return Irp;
}

/* ---- Read and write ---------------------------------------------------------------------------------------------- */

/* docs: ZwReadFile, ZwWriteFile: what may stand for an offset. *Offset is then one to send. */
static NTSTATUS IopOffset(PIOP_CALLER Caller, PLARGE_INTEGER Given, BOOLEAN Write, PLARGE_INTEGER Offset)
{
    PFILE_OBJECT File = Caller->File;
    if (Given) {
        *Offset = *Given;
        if (Given->HighPart != -1)
            return Given->QuadPart < 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
        if (Write && Given->LowPart == FILE_WRITE_TO_END_OF_FILE)
            return STATUS_SUCCESS;
        if (Given->LowPart != FILE_USE_FILE_POINTER_POSITION)
            return STATUS_INVALID_PARAMETER;
    }
    /* Devices without positions (no file system below) take any; a file without a position must be given one. */
    if (!Caller->Synchronous) {
        Offset->QuadPart = 0;
        return Caller->File->Vpb ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
    }
    *Offset = File->CurrentByteOffset;
    return STATUS_SUCCESS;
}

/* The driver's fast routine, if it has one and will: with the caller's own buffer, which has been probed. */
static BOOLEAN IopTransferredFast(PIOP_CALLER Caller, BOOLEAN Read, PVOID Buffer, ULONG Bytes, PLARGE_INTEGER Offset,
                                  PULONG Key, PIO_STATUS_BLOCK Iosb, NTSTATUS *Status)
{
    IO_STATUS_BLOCK Result;
    if (Caller->Apc || !Caller->File->PrivateCacheMap)
        return FALSE;
    if (Caller->Mode != KernelMode && !NT_SUCCESS(*Status = MmProbeUser(Buffer, Bytes, 1, Read)))
        return TRUE;
    if (!IopFastTransfer(Caller->File, Caller->Device, Read, Buffer, Bytes, Offset, Key, &Result))
        return FALSE;
    *Status = Result.Status;
    if (Caller->Mode == KernelMode)
        *Iosb = Result;
    else
        MmWriteUser(Iosb, &Result, sizeof(Result));
    IopTellFastEnd(Caller->File, Caller->Event);
    IopCountBytes((PEPROCESS)KeGetCurrentThread()->Process, Read, Result.Information);
    return TRUE;
}

static NTSTATUS IopTransfer(UCHAR Major, HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                            PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes, PLARGE_INTEGER Given, PULONG Key)
{
    BOOLEAN Read = Major == IRP_MJ_READ;
    PIO_STACK_LOCATION Stack;
    LARGE_INTEGER Offset;
    IOP_CALLER Caller;
    NTSTATUS Status = IopBeginAsync(&Caller, Handle, Event, Apc, Context, Iosb);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = IopMayTransfer(&Caller, Handle, Read);
    if (!NT_SUCCESS(Status))
        return IopAbandon(&Caller, NULL, Status);
    Status = IopOffset(&Caller, Given, !Read, &Offset);
    if (!NT_SUCCESS(Status))
        return IopAbandon(&Caller, NULL, Status);
    IopCountOperation(Major);
    if (IopTransferredFast(&Caller, Read, Buffer, Bytes, &Offset, Key, Iosb, &Status))
        return IopAbandon(&Caller, NULL, Status);
    PIRP Irp = IopNewIrp(&Caller, Major, 0, &Stack);
    if (!Irp)
        return IopAbandon(&Caller, NULL, STATUS_INSUFFICIENT_RESOURCES);
    Status = IopSetTransfer(Irp, Caller.Device, Buffer, Bytes, Read);
    if (!NT_SUCCESS(Status))
        return IopAbandon(&Caller, Irp, Status);
    Irp->Flags |= Read ? IRP_READ_OPERATION : IRP_WRITE_OPERATION;
    if (Caller.File->Flags & FO_NO_INTERMEDIATE_BUFFERING)
        Irp->Flags |= IRP_NOCACHE;
    if (!Read && (Caller.File->Flags & FO_WRITE_THROUGH))
        Stack->Flags |= SL_WRITE_THROUGH;
    if (Key) {
        Stack->Flags |= SL_KEY_SPECIFIED;
        Stack->Parameters.Read.Key = *Key;
    }
    Stack->Parameters.Read.Length = Bytes; /* Write has the same layout */
    Stack->Parameters.Read.ByteOffset = Offset;
    return IopIssue(Caller.Device, Irp, Caller.File, Caller.Synchronous, Iosb);
}

NTSTATUS NTAPI NtReadFile(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context, PIO_STATUS_BLOCK Iosb,
                          PVOID Buffer, ULONG Bytes, PLARGE_INTEGER Offset, PULONG Key)
{
    return IopTransfer(IRP_MJ_READ, Handle, Event, Apc, Context, Iosb, Buffer, Bytes, Offset, Key);
}

NTSTATUS NTAPI NtWriteFile(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context, PIO_STATUS_BLOCK Iosb,
                           PVOID Buffer, ULONG Bytes, PLARGE_INTEGER Offset, PULONG Key)
{
    OBJECT_HANDLE_INFORMATION Held;
    LARGE_INTEGER End = {.LowPart = FILE_WRITE_TO_END_OF_FILE, .HighPart = -1};
    PVOID File;
    /* docs: ZwCreateFile: with FILE_APPEND_DATA alone every write goes to the end. */
    if (NT_SUCCESS(ObReferenceObjectByHandle(Handle, 0, IopFileType, KernelMode, &File, &Held))) {
        ObfDereferenceObject(File);
        if ((Held.GrantedAccess & (FILE_APPEND_DATA | FILE_WRITE_DATA)) == FILE_APPEND_DATA)
            Offset = &End;
    }
    return IopTransfer(IRP_MJ_WRITE, Handle, Event, Apc, Context, Iosb, Buffer, Bytes, Offset, Key);
}

/* ---- Control ----------------------------------------------------------------------------------------------------- */

/* The driver's fast routine, if it has one and will. Not where the end is told by a procedure or a completion port. */
static BOOLEAN IopControlledFast(PIOP_CALLER Caller, ULONG Code, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes,
                                 PIO_STATUS_BLOCK Iosb, NTSTATUS *Status)
{
    IO_STATUS_BLOCK Result = {0};
    if (Caller->Apc || Caller->File->CompletionContext || !Caller->Device->DriverObject->FastIoDispatch)
        return FALSE;
    if (Caller->Mode != KernelMode && (Code & 3) != METHOD_NEITHER &&
        (!NT_SUCCESS(*Status = MmProbeUser(In, InBytes, 1, FALSE)) ||
         !NT_SUCCESS(*Status = MmProbeUser(Out, OutBytes, 1, (Code & 3) != METHOD_IN_DIRECT))))
        return TRUE;
    if (!IopFastControl(Caller->File, Caller->Device, Code, In, InBytes, Out, OutBytes, &Result))
        return FALSE;
    *Status = Result.Status;
    if (Caller->Mode == KernelMode)
        *Iosb = Result;
    else
        MmWriteUser(Iosb, &Result, sizeof(Result)); /* docs: the result is the service's own, too */
    IopTellFastEnd(Caller->File, Caller->Event);
    return TRUE;
}

static NTSTATUS IopControl(UCHAR Major, HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                           PIO_STATUS_BLOCK Iosb, ULONG Code, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes)
{
    PIO_STACK_LOCATION Stack;
    IOP_CALLER Caller;
    NTSTATUS Status = IopBeginAsync(&Caller, Handle, Event, Apc, Context, Iosb);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Caller.Mode != KernelMode && !IopHasAccess(Handle, Code >> 14 & 3)) /* FILE_READ_ACCESS, FILE_WRITE_ACCESS */
        return IopAbandon(&Caller, NULL, STATUS_ACCESS_DENIED);
    IopCountOperation(Major);
    if (Major == IRP_MJ_DEVICE_CONTROL && IopControlledFast(&Caller, Code, In, InBytes, Out, OutBytes, Iosb, &Status))
        return IopAbandon(&Caller, NULL, Status);
    PIRP Irp = IopNewIrp(&Caller, Major, 0, &Stack);
    if (!Irp)
        return IopAbandon(&Caller, NULL, STATUS_INSUFFICIENT_RESOURCES);
    Status = IopSetControl(Irp, Stack, Code, In, InBytes, Out, OutBytes);
    if (!NT_SUCCESS(Status))
        return IopAbandon(&Caller, Irp, Status);
    return IopIssue(Caller.Device, Irp, Caller.File, Caller.Synchronous, Iosb);
}

NTSTATUS NTAPI NtDeviceIoControlFile(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                                     PIO_STATUS_BLOCK Iosb, ULONG Code, PVOID In, ULONG InBytes, PVOID Out,
                                     ULONG OutBytes)
{
    return IopControl(IRP_MJ_DEVICE_CONTROL, Handle, Event, Apc, Context, Iosb, Code, In, InBytes, Out, OutBytes);
}

NTSTATUS NTAPI NtFsControlFile(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context, PIO_STATUS_BLOCK Iosb,
                               ULONG Code, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes)
{
    return IopControl(IRP_MJ_FILE_SYSTEM_CONTROL, Handle, Event, Apc, Context, Iosb, Code, In, InBytes, Out, OutBytes);
}

/* ---- Requests that are always waited for ------------------------------------------------------------------------- */

/* Send a request whose buffer is the caller's own (kernel mode: any context will do), and wait. */
static NTSTATUS IopAskDevice(PFILE_OBJECT File, PIRP Irp, PVOID Buffer, PIO_STATUS_BLOCK Iosb)
{
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File);
    IO_STATUS_BLOCK Result;
    BOOLEAN Pended;
    Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION; /* completion: status block and event, nothing else */
    Irp->AssociatedIrp.SystemBuffer = Buffer;
    Irp->UserBuffer = Buffer;
    IoGetNextIrpStackLocation(Irp)->FileObject = File;
    NTSTATUS Status = IopCallAndTell(Device, Irp, &Result, &Pended);
    /* An error of a request that was pending is told by both on a file that is not synchronous, else by the return alone. */
    if (!NT_ERROR(Status) || (Pended && !(File->Flags & FO_SYNCHRONOUS_IO)))
        *Iosb = Result;
    return Status;
}

/* docs: ZwFlushBuffersFileEx: each kind is a minor function of its own; none takes parameters. */
NTSTATUS NTAPI NtFlushBuffersFileEx(HANDLE Handle, ULONG Flags, PVOID Parameters, ULONG ParametersSize,
                                    PIO_STATUS_BLOCK Iosb)
{
    static const UCHAR Minors[] = {
        0, [FLUSH_FLAGS_FILE_DATA_ONLY] = IRP_MN_FLUSH_DATA_ONLY, [FLUSH_FLAGS_NO_SYNC] = IRP_MN_FLUSH_NO_SYNC,
        [FLUSH_FLAGS_FILE_DATA_SYNC_ONLY] = IRP_MN_FLUSH_DATA_SYNC_ONLY};
    PIO_STACK_LOCATION Stack;
    IOP_CALLER Caller;
    if (Parameters || ParametersSize)
        return STATUS_INVALID_PARAMETER;
    if (Flags >= RTL_NUMBER_OF(Minors) || (Flags && !Minors[Flags]))
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = IopBegin(&Caller, Handle, 0, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    PIRP Irp = IopNewIrp(&Caller, IRP_MJ_FLUSH_BUFFERS, 0, &Stack);
    if (!Irp)
        return IopAbandon(&Caller, NULL, STATUS_INSUFFICIENT_RESOURCES);
    Stack->MinorFunction = Minors[Flags];
    Status = IopAskDevice(Caller.File, Irp, NULL, Iosb);
    return IopAbandon(&Caller, NULL, Status);
}

NTSTATUS NTAPI NtFlushBuffersFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb)
{
    return NtFlushBuffersFileEx(Handle, 0, NULL, 0, Iosb);
}

/* The classes the I/O manager answers itself. TRUE: done. */
static BOOLEAN IopAnswerClass(PIOP_CALLER Caller, ACCESS_MASK Access, FILE_INFORMATION_CLASS Class, PVOID Buffer,
                              PIO_STATUS_BLOCK Iosb)
{
    PFILE_OBJECT File = Caller->File;
    ULONG Mode = (File->Flags & FO_WRITE_THROUGH ? FILE_WRITE_THROUGH : 0) |
                 (File->Flags & FO_SEQUENTIAL_ONLY ? FILE_SEQUENTIAL_ONLY : 0) |
                 (File->Flags & FO_NO_INTERMEDIATE_BUFFERING ? FILE_NO_INTERMEDIATE_BUFFERING : 0) |
                 (!(File->Flags & FO_SYNCHRONOUS_IO) ? 0
                  : (File->Flags & FO_ALERTABLE_IO)  ? FILE_SYNCHRONOUS_IO_ALERT
                                                     : FILE_SYNCHRONOUS_IO_NONALERT);
    switch ((ULONG)Class) {
    case FilePositionInformation:
        ((PFILE_POSITION_INFORMATION)Buffer)->CurrentByteOffset = File->CurrentByteOffset;
        break;
    case FileAccessInformation:
        ((PFILE_ACCESS_INFORMATION)Buffer)->AccessFlags = Access;
        break;
    case FileModeInformation:
        ((PFILE_MODE_INFORMATION)Buffer)->Mode = Mode;
        break;
    case FileAlignmentInformation:
        ((PFILE_ALIGNMENT_INFORMATION)Buffer)->AlignmentRequirement = Caller->Device->AlignmentRequirement;
        break;
    case FileIsRemoteDeviceInformation:
        *(PBOOLEAN)Buffer = (Caller->File->DeviceObject->Characteristics & FILE_REMOTE_DEVICE) != 0;
        break;
    case FileIoCompletionNotificationInformation:
        ((PFILE_IO_COMPLETION_NOTIFICATION_INFORMATION)Buffer)->Flags = IopEndModes(File);
        break;
    case FileAllInformation: { /* the rest of it is the file system's */
        PFILE_ALL_INFORMATION All = Buffer;
        All->AccessInformation.AccessFlags = Access;
        All->PositionInformation.CurrentByteOffset = File->CurrentByteOffset;
        All->ModeInformation.Mode = Mode;
        All->AlignmentInformation.AlignmentRequirement = Caller->Device->AlignmentRequirement;
        return FALSE;
    }
    default:
        return FALSE;
    }
    Iosb->Status = STATUS_SUCCESS;
    Iosb->Information = IopClassBytes(Class, FALSE);
    return TRUE;
}

ULONG IopClassBytes(FILE_INFORMATION_CLASS Class, BOOLEAN Set)
{
    static const struct {
        UCHAR Class, Query, Set; /* 0 = cannot be */
    } Table[] = {
        {FileBasicInformation, sizeof(FILE_BASIC_INFORMATION), sizeof(FILE_BASIC_INFORMATION)},
        {FileStandardInformation, sizeof(FILE_STANDARD_INFORMATION), 0},
        {FileInternalInformation, sizeof(FILE_INTERNAL_INFORMATION), 0},
        {FileEaInformation, sizeof(FILE_EA_INFORMATION), 0},
        {FileAccessInformation, sizeof(FILE_ACCESS_INFORMATION), 0},
        {FileNameInformation, sizeof(FILE_NAME_INFORMATION), 0},
        {FileRenameInformation, 0, sizeof(FILE_RENAME_INFORMATION)},
        {FileLinkInformation, 0, sizeof(FILE_LINK_INFORMATION)},
        {FileDispositionInformation, 0, sizeof(FILE_DISPOSITION_INFORMATION)},
        {FilePositionInformation, sizeof(FILE_POSITION_INFORMATION), sizeof(FILE_POSITION_INFORMATION)},
        {FileModeInformation, sizeof(FILE_MODE_INFORMATION), sizeof(FILE_MODE_INFORMATION)},
        {FileAlignmentInformation, sizeof(FILE_ALIGNMENT_INFORMATION), 0},
        {FileAllInformation, sizeof(FILE_ALL_INFORMATION), 0},
        {FileAllocationInformation, 0, sizeof(FILE_ALLOCATION_INFORMATION)},
        {FileCompletionInformation, 0, sizeof(FILE_COMPLETION_INFORMATION)},
        {FileIoCompletionNotificationInformation, sizeof(FILE_IO_COMPLETION_NOTIFICATION_INFORMATION),
         sizeof(FILE_IO_COMPLETION_NOTIFICATION_INFORMATION)},
        {FileEndOfFileInformation, 0, sizeof(FILE_END_OF_FILE_INFORMATION)},
        {FileAlternateNameInformation, sizeof(FILE_NAME_INFORMATION), 0},
        {FileStreamInformation, sizeof(FILE_STREAM_INFORMATION), 0},
        {FileCompressionInformation, sizeof(FILE_COMPRESSION_INFORMATION), 0},
        {FileNetworkOpenInformation, sizeof(FILE_NETWORK_OPEN_INFORMATION), 0},
        {FileAttributeTagInformation, sizeof(FILE_ATTRIBUTE_TAG_INFORMATION), 0},
        {FileValidDataLengthInformation, 0, sizeof(FILE_VALID_DATA_LENGTH_INFORMATION)},
        {FileShortNameInformation, 0, sizeof(FILE_NAME_INFORMATION)},
        {FileNormalizedNameInformation, sizeof(FILE_NAME_INFORMATION), 0},
        {FileIdInformation, sizeof(FILE_ID_INFORMATION), 0},
        {FileDispositionInformationEx, 0, sizeof(FILE_DISPOSITION_INFORMATION_EX)},
        {FileRenameInformationEx, 0, sizeof(FILE_RENAME_INFORMATION)},
        {FileLinkInformationEx, 0, sizeof(FILE_LINK_INFORMATION)},
        {FileHardLinkInformation, sizeof(FILE_LINKS_INFORMATION), 0},
        {FileStandardLinkInformation, sizeof(FILE_STANDARD_LINK_INFORMATION), 0},
        {FileIsRemoteDeviceInformation, sizeof(BOOLEAN), 0},
        {FileStatInformation, sizeof(FILE_STAT_INFORMATION), 0},
        {FileCaseSensitiveInformation, sizeof(FILE_CASE_SENSITIVE_INFORMATION),
         sizeof(FILE_CASE_SENSITIVE_INFORMATION)},
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Table); i++)
        if (Table[i].Class == (ULONG)Class)
            return Set ? Table[i].Set : Table[i].Query;
    return 0;
}

NTSTATUS NTAPI NtQueryInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes,
                                      FILE_INFORMATION_CLASS Class)
{
    OBJECT_HANDLE_INFORMATION Held;
    PIO_STACK_LOCATION Stack;
    IOP_CALLER Caller;
    PVOID Again;
    if (!IopClassBytes(Class, FALSE))
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < IopClassBytes(Class, FALSE))
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS Status = IopBegin(&Caller, Handle, 0, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Again, &Held);
    ObfDereferenceObject(Again);
    if (IopFastQuery(Caller.File, Caller.Device, Class, Buffer, Iosb))
        Status = Iosb->Status;
    else if (!IopAnswerClass(&Caller, Held.GrantedAccess, Class, Buffer, Iosb)) {
        PIRP Irp = IopNewIrp(&Caller, IRP_MJ_QUERY_INFORMATION, 0, &Stack);
        if (!Irp)
            return IopAbandon(&Caller, NULL, STATUS_INSUFFICIENT_RESOURCES);
        Stack->Parameters.QueryFile.Length = Bytes;
        Stack->Parameters.QueryFile.FileInformationClass = Class;
        Status = IopAskDevice(Caller.File, Irp, Buffer, Iosb);
    }
    return IopAbandon(&Caller, NULL, Status);
}

/* docs: FILE_MODE_INFORMATION: what of the mode may change after the opening. */
static NTSTATUS IopSetMode(PFILE_OBJECT File, ULONG Mode)
{
    const ULONG Synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;
    if ((Mode & ~(FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY | Synchronous)) || (Mode & Synchronous) == Synchronous ||
        !(Mode & Synchronous) != !(File->Flags & FO_SYNCHRONOUS_IO))
        return STATUS_INVALID_PARAMETER;
    File->Flags &= ~(FO_WRITE_THROUGH | FO_SEQUENTIAL_ONLY | FO_ALERTABLE_IO);
    File->Flags |= (Mode & FILE_WRITE_THROUGH ? FO_WRITE_THROUGH : 0) |
                   (Mode & FILE_SEQUENTIAL_ONLY ? FO_SEQUENTIAL_ONLY : 0) |
                   (Mode & FILE_SYNCHRONOUS_IO_ALERT ? FO_ALERTABLE_IO : 0);
    return STATUS_SUCCESS;
}

/* The classes that are the I/O manager's own. TRUE: done, with that status. */
static BOOLEAN IopSetOwnClass(PIOP_CALLER Caller, FILE_INFORMATION_CLASS Class, PVOID Buffer, NTSTATUS *Status)
{
    PFILE_COMPLETION_INFORMATION Tie = Buffer;
    LARGE_INTEGER Offset;
    *Status = STATUS_SUCCESS;
    switch ((ULONG)Class) {
    case FileCompletionInformation:
        *Status = IopTieToPort(Caller->File, Tie->Port, Tie->Key, Caller->Mode);
        return TRUE;
    case FileIoCompletionNotificationInformation:
        *Status = IopSetEndModes(Caller->File, ((PFILE_IO_COMPLETION_NOTIFICATION_INFORMATION)Buffer)->Flags);
        return TRUE;
    case FilePositionInformation:
        Offset = ((PFILE_POSITION_INFORMATION)Buffer)->CurrentByteOffset;
        if (Offset.QuadPart < 0)
            *Status = STATUS_INVALID_PARAMETER;
        else
            Caller->File->CurrentByteOffset = Offset;
        return TRUE;
    case FileModeInformation:
        *Status = IopSetMode(Caller->File, ((PFILE_MODE_INFORMATION)Buffer)->Mode);
        return TRUE;
    }
    return FALSE;
}

/* docs: FILE_RENAME_INFORMATION: a name with a root directory or a full path: the I/O manager opens the directory it
 * will lie in, so that the file system finds it and share access holds. A bare name needs none. */
static NTSTATUS IopOpenTarget(PIOP_CALLER Caller, PFILE_RENAME_INFORMATION Rename, ULONG Bytes,
                              FILE_INFORMATION_CLASS Class, PHANDLE Handle, PFILE_OBJECT *Target)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    IO_STATUS_BLOCK Iosb;
    if (!Rename->FileNameLength || (Rename->FileNameLength & 1) || Rename->FileNameLength > MAXUSHORT - 1 ||
        Bytes < FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName) + Rename->FileNameLength)
        return STATUS_INVALID_PARAMETER;
    Name = (UNICODE_STRING){(USHORT)Rename->FileNameLength, (USHORT)Rename->FileNameLength, Rename->FileName};
    if (!Rename->RootDirectory && Name.Buffer[0] != L'\\')
        return STATUS_SUCCESS;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, Rename->RootDirectory,
                               NULL);
    NTSTATUS Status = IoCreateFile(Handle, FILE_WRITE_DATA | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0,
                                   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN,
                                   FILE_OPEN_FOR_BACKUP_INTENT, NULL, 0, CreateFileTypeNone, NULL,
                                   IO_NO_PARAMETER_CHECKING | IO_OPEN_TARGET_DIRECTORY | IO_FORCE_ACCESS_CHECK);
    if (!NT_SUCCESS(Status)) {
        *Handle = NULL;
        return Status;
    }
    Status = ObReferenceObjectByHandle(*Handle, 0, IopFileType, KernelMode, (PVOID *)Target, NULL);
    if (NT_SUCCESS(Status) && (*Target)->DeviceObject != Caller->File->DeviceObject) {
        ObfDereferenceObject(*Target);
        Status = STATUS_NOT_SAME_DEVICE;
    }
    if (!NT_SUCCESS(Status)) {
        ObCloseHandle(*Handle, KernelMode);
        *Handle = NULL;
    }
    return Status;
}

NTSTATUS NTAPI NtSetInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes,
                                    FILE_INFORMATION_CLASS Class)
{
    PIO_STACK_LOCATION Stack;
    IOP_CALLER Caller;
    if (!IopClassBytes(Class, TRUE))
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < IopClassBytes(Class, TRUE))
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS Status = IopBegin(&Caller, Handle, 0, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (IopSetOwnClass(&Caller, Class, Buffer, &Status)) {
        if (NT_SUCCESS(Status))
            *Iosb = (IO_STATUS_BLOCK){.Status = Status};
        return IopAbandon(&Caller, NULL, Status);
    }
    BOOLEAN Names = Class == FileRenameInformation || Class == FileRenameInformationEx ||
                    Class == FileLinkInformation || Class == FileLinkInformationEx;
    HANDLE TargetHandle = NULL;
    PFILE_OBJECT Target = NULL;
    if (Names) {
        Status = IopOpenTarget(&Caller, Buffer, Bytes, Class, &TargetHandle, &Target);
        if (!NT_SUCCESS(Status))
            return IopAbandon(&Caller, NULL, Status);
    }
    PIRP Irp = IopNewIrp(&Caller, IRP_MJ_SET_INFORMATION, 0, &Stack);
    if (Irp) {
        Stack->Parameters.SetFile.Length = Bytes;
        Stack->Parameters.SetFile.FileInformationClass = Class;
        Stack->Parameters.SetFile.FileObject = Target;
        if (Names)
            Stack->Parameters.SetFile.ReplaceIfExists =
                (*(PUCHAR)Buffer & 1) != 0; /* a flag's bit 0 in the newer form */
        Status = IopAskDevice(Caller.File, Irp, Buffer, Iosb);
    } else
        Status = STATUS_INSUFFICIENT_RESOURCES;
    if (TargetHandle) {
        ObfDereferenceObject(Target);
        ObCloseHandle(TargetHandle, KernelMode);
    }
    return IopAbandon(&Caller, NULL, Status);
}

/* docs: the structures' pages: what a class needs at least; 0 = there is no such class to ask for. */
static ULONG IopVolumeBytes(FS_INFORMATION_CLASS Class)
{
    static const UCHAR Bytes[] = {
        [FileFsVolumeInformation] = sizeof(FILE_FS_VOLUME_INFORMATION),
        [FileFsSizeInformation] = sizeof(FILE_FS_SIZE_INFORMATION),
        [FileFsDeviceInformation] = sizeof(FILE_FS_DEVICE_INFORMATION),
        [FileFsAttributeInformation] = sizeof(FILE_FS_ATTRIBUTE_INFORMATION),
        [FileFsControlInformation] = sizeof(FILE_FS_CONTROL_INFORMATION),
        [FileFsFullSizeInformation] = sizeof(FILE_FS_FULL_SIZE_INFORMATION),
        [FileFsObjectIdInformation] = sizeof(FILE_FS_OBJECTID_INFORMATION),
        [FileFsSectorSizeInformation] = sizeof(FILE_FS_SECTOR_SIZE_INFORMATION),
    };
    return (ULONG)Class < RTL_NUMBER_OF(Bytes) ? Bytes[Class] : 0;
}

NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes,
                                            FS_INFORMATION_CLASS Class)
{
    PIO_STACK_LOCATION Stack;
    IOP_CALLER Caller;
    if (!IopVolumeBytes(Class))
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < IopVolumeBytes(Class))
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS Status = IopBegin(&Caller, Handle, 0, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Class == FileFsDeviceInformation) { /* the I/O manager's own */
        PFILE_FS_DEVICE_INFORMATION Information = Buffer;
        Information->DeviceType = Caller.File->DeviceObject->DeviceType;
        Information->Characteristics = Caller.File->DeviceObject->Characteristics;
        Iosb->Status = STATUS_SUCCESS;
        Iosb->Information = sizeof(*Information);
        return IopAbandon(&Caller, NULL, STATUS_SUCCESS);
    }
    if (Caller.File->Flags & FO_DIRECT_DEVICE_OPEN) /* the device, not the volume on it */
        return IopAbandon(&Caller, NULL, STATUS_INVALID_DEVICE_REQUEST);
    PIRP Irp = IopNewIrp(&Caller, IRP_MJ_QUERY_VOLUME_INFORMATION, 0, &Stack);
    if (!Irp)
        return IopAbandon(&Caller, NULL, STATUS_INSUFFICIENT_RESOURCES);
    Stack->Parameters.QueryVolume.Length = Bytes;
    Stack->Parameters.QueryVolume.FsInformationClass = Class;
    Status = IopAskDevice(Caller.File, Irp, Buffer, Iosb);
    return IopAbandon(&Caller, NULL, Status);
}

/* docs: ZwQueryFullAttributesFile: opens, asks, closes. */
NTSTATUS NTAPI NtQueryFullAttributesFile(POBJECT_ATTRIBUTES Attributes, PFILE_NETWORK_OPEN_INFORMATION Information)
{
    IO_STATUS_BLOCK Iosb;
    HANDLE Handle;
    NTSTATUS Status = NtOpenFile(&Handle, FILE_READ_ATTRIBUTES, Attributes, &Iosb,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN_REPARSE_POINT);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = NtQueryInformationFile(Handle, &Iosb, Information, sizeof(*Information), FileNetworkOpenInformation);
    NtClose(Handle);
    return Status;
}

/* docs: ZwQueryInformationByName: few classes, and nothing that the caller would have to close. */
NTSTATUS NTAPI NtQueryInformationByName(POBJECT_ATTRIBUTES Attributes, PIO_STATUS_BLOCK Iosb, PVOID Information,
                                        ULONG Bytes, FILE_INFORMATION_CLASS Class)
{
    HANDLE Handle;
    if ((ULONG)Class != FileStatInformation && (ULONG)Class != FileStatLxInformation &&
        (ULONG)Class != FileCaseSensitiveInformation)
        return STATUS_INVALID_INFO_CLASS;
    NTSTATUS Status = NtOpenFile(&Handle, FILE_READ_ATTRIBUTES, Attributes, Iosb,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN_REPARSE_POINT);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = NtQueryInformationFile(Handle, Iosb, Information, Bytes, Class);
    NtClose(Handle);
    return Status;
}

/* For drivers that hold a file object and no handle. */
NTSTATUS NTAPI IoQueryFileInformation(PFILE_OBJECT File, FILE_INFORMATION_CLASS Class, ULONG Bytes, PVOID Buffer,
                                      PULONG Returned)
{
    IOP_CALLER Caller = {.File = File, .Device = IoGetRelatedDeviceObject(File)};
    IO_STATUS_BLOCK Iosb = {0};
    PIO_STACK_LOCATION Stack;
    PIRP Irp = IopNewIrp(&Caller, IRP_MJ_QUERY_INFORMATION, 0, &Stack);
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    Stack->Parameters.QueryFile.Length = Bytes;
    Stack->Parameters.QueryFile.FileInformationClass = Class;
    NTSTATUS Status = IopAskDevice(File, Irp, Buffer, &Iosb);
    *Returned = (ULONG)Iosb.Information;
    return Status;
}

/* The same for setting. */
NTSTATUS NTAPI IoSetInformation(PFILE_OBJECT File, FILE_INFORMATION_CLASS Class, ULONG Bytes, PVOID Buffer)
{
    IOP_CALLER Caller = {.File = File, .Device = IoGetRelatedDeviceObject(File)};
    IO_STATUS_BLOCK Iosb = {0};
    PIO_STACK_LOCATION Stack;
    PIRP Irp = IopNewIrp(&Caller, IRP_MJ_SET_INFORMATION, 0, &Stack);
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    Stack->Parameters.SetFile.Length = Bytes;
    Stack->Parameters.SetFile.FileInformationClass = Class;
    return IopAskDevice(File, Irp, Buffer, &Iosb);
}
