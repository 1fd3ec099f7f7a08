/*
 * More file services: byte range locks, directories and their notification, extended attributes, quotas, volume information.
 * (docs: ZwLockFile, ZwQueryDirectoryFile, ZwNotifyChangeDirectoryFile, ZwQueryEaFile)
 */
#include "nt.h"

/* ---- Requests that may stay pending ------------------------------------------------------------------------------ */

typedef struct _IOP_ASYNC {
    PFILE_OBJECT File;
    PDEVICE_OBJECT Device;
    PKEVENT Event;
    PIRP Irp;
    PIO_STACK_LOCATION Stack;
    PVOID Memory; /* with the request, should it fail */
} IOP_ASYNC, *PIOP_ASYNC;

static VOID IopDropAsync(PIOP_ASYNC Async)
{
    if (Async->Irp) {
        if (Async->Irp->MdlAddress)
            IoFreeMdl(Async->Irp->MdlAddress); /* not locked: that was what failed */
        if (Async->Irp->Tail.Overlay.AuxiliaryBuffer)
            IopFree(Async->Irp->Tail.Overlay.AuxiliaryBuffer);
        IoFreeIrp(Async->Irp);
    }
    if (Async->File->Flags & FO_SYNCHRONOUS_IO)
        IopUnlockFile(Async->File);
    if (Async->Event)
        ObfDereferenceObject(Async->Event);
    ObfDereferenceObject(Async->File);
}

static NTSTATUS IopBeginAsyncRequest(PIOP_ASYNC Async, HANDLE Handle, ULONG Access, HANDLE Event, PIO_APC_ROUTINE Apc,
                                     PVOID Context, UCHAR Major, UCHAR Minor)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    RtlZeroMemory(Async, sizeof(*Async));
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, Access, IopFileType, Mode, (PVOID *)&Async->File, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Event) {
        Status = ObReferenceObjectByHandle(Event, EVENT_MODIFY_STATE, ObpEventType, Mode, (PVOID *)&Async->Event, NULL);
        if (!NT_SUCCESS(Status)) {
            ObfDereferenceObject(Async->File);
            return Status;
        }
        KeClearEvent(Async->Event);
    }
    if (Async->File->Flags & FO_SYNCHRONOUS_IO)
        IopLockFile(Async->File);
    Async->Device = IoGetRelatedDeviceObject(Async->File);
    Async->Irp = IopAllocateIrp(Async->Device->StackSize, Async->File);
    if (!Async->Irp) {
        IopDropAsync(Async);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Async->Stack = IoGetNextIrpStackLocation(Async->Irp);
    Async->Stack->MajorFunction = Major;
    Async->Stack->MinorFunction = Minor;
    Async->Irp->RequestorMode = Mode;
    Async->Irp->UserEvent = Async->Event;
    Async->Irp->Overlay.AsynchronousParameters.UserApcRoutine = Apc;
    Async->Irp->Overlay.AsynchronousParameters.UserApcContext = Context;
    if (Async->File->Flags & FO_SYNCHRONOUS_IO)
        Async->Irp->Flags |= IRP_SYNCHRONOUS_API;
    return STATUS_SUCCESS;
}

static NTSTATUS IopSendAsync(PIOP_ASYNC Async, PIO_STATUS_BLOCK Iosb)
{
    return IopIssue(Async->Device, Async->Irp, Async->File, (Async->File->Flags & FO_SYNCHRONOUS_IO) != 0, Iosb);
}

/* ---- Byte range locks -------------------------------------------------------------------------------------------- */

/* The file system looks at the length through a pointer until it has decided: it lies in memory that completion frees.
 */
static NTSTATUS IopSetLock(PIOP_ASYNC Async, PLARGE_INTEGER Offset, PLARGE_INTEGER Length, ULONG Key)
{
    PLARGE_INTEGER Kept = IopAllocate(sizeof(*Kept), 'kLoI', 0);
    if (!Kept)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Kept = *Length;
    Async->Irp->Tail.Overlay.AuxiliaryBuffer = (PVOID)Kept; /* docs: freed with the request */
    Async->Stack->Parameters.LockControl.Length = Kept;
    Async->Stack->Parameters.LockControl.ByteOffset = *Offset;
    Async->Stack->Parameters.LockControl.Key = Key;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtLockFile(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context, PIO_STATUS_BLOCK Iosb,
                          PLARGE_INTEGER Offset, PLARGE_INTEGER Length, ULONG Key, BOOLEAN FailImmediately,
                          BOOLEAN Exclusive)
{
    IOP_ASYNC Async;
    NTSTATUS Status = IopBeginAsyncRequest(&Async, Handle, 0, Event, Apc, Context, IRP_MJ_LOCK_CONTROL, IRP_MN_LOCK);
    if (!NT_SUCCESS(Status))
        return Status;
    Async.File->LockOperation = TRUE;
    if (!Apc && IopFastLock(Async.File, Async.Device, TRUE, Offset, Length, Key, FailImmediately, Exclusive, Iosb)) {
        Status = Iosb->Status;
        if (Async.Event)
            KeSetEvent(Async.Event, IO_NO_INCREMENT, FALSE);
        IopDropAsync(&Async);
        return Status;
    }
    Status = IopSetLock(&Async, Offset, Length, Key);
    if (!NT_SUCCESS(Status)) {
        IopDropAsync(&Async);
        return Status;
    }
    Async.Stack->Flags = (FailImmediately ? SL_FAIL_IMMEDIATELY : 0) | (Exclusive ? SL_EXCLUSIVE_LOCK : 0);
    return IopSendAsync(&Async, Iosb);
}

NTSTATUS NTAPI NtUnlockFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PLARGE_INTEGER Offset, PLARGE_INTEGER Length,
                            ULONG Key)
{
    IOP_ASYNC Async;
    NTSTATUS Status =
        IopBeginAsyncRequest(&Async, Handle, 0, NULL, NULL, NULL, IRP_MJ_LOCK_CONTROL, IRP_MN_UNLOCK_SINGLE);
    if (!NT_SUCCESS(Status))
        return Status;
    if (IopFastLock(Async.File, Async.Device, FALSE, Offset, Length, Key, FALSE, FALSE, Iosb)) {
        Status = Iosb->Status;
        IopDropAsync(&Async);
        return Status;
    }
    Status = IopSetLock(&Async, Offset, Length, Key);
    if (!NT_SUCCESS(Status)) {
        IopDropAsync(&Async);
        return Status;
    }
    if (Async.File->Flags & FO_SYNCHRONOUS_IO)
        return IopSendAsync(&Async, Iosb);
    Status = IopSendAsync(&Async, Iosb);
    if (Status == STATUS_PENDING) { /* no caller expects that of an unlock */
        PFILE_OBJECT File = Async.File;
        KeWaitForSingleObject(&File->Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb->Status;
    }
    return Status;
}

/* ---- Directories ------------------------------------------------------------------------------------------------- */

#define IOP_QUERY_FLAGS                                                                                                \
    (SL_RESTART_SCAN | SL_RETURN_SINGLE_ENTRY | SL_INDEX_SPECIFIED | SL_RETURN_ON_DISK_ENTRIES_ONLY |                  \
     SL_NO_CURSOR_UPDATE_QUERY)

static UCHAR IopScanFlags(BOOLEAN Single, BOOLEAN Restart, BOOLEAN Indexed)
{
    return (UCHAR)((Single ? SL_RETURN_SINGLE_ENTRY : 0) | (Restart ? SL_RESTART_SCAN : 0) |
                   (Indexed ? SL_INDEX_SPECIFIED : 0));
}

/* The request may outlive the call, and so must its pattern. */
static NTSTATUS IopKeepPattern(PIOP_ASYNC Async, PUNICODE_STRING Pattern)
{
    PUNICODE_STRING Kept;
    if (!Pattern)
        return STATUS_SUCCESS;
    Kept = IopAllocate(sizeof(*Kept) + Pattern->Length, 'tPoI', 0);
    if (!Kept)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Kept = (UNICODE_STRING){Pattern->Length, Pattern->Length, (PWSTR)(Kept + 1)};
    RtlCopyMemory(Kept->Buffer, Pattern->Buffer, Pattern->Length);
    Async->Irp->Tail.Overlay.AuxiliaryBuffer = (PVOID)Kept; /* docs: freed with the request */
    Async->Stack->Parameters.QueryDirectory.FileName = Kept;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQueryDirectoryFileEx(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                                      PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes, FILE_INFORMATION_CLASS Class,
                                      ULONG Flags, PUNICODE_STRING Pattern)
{
    IOP_ASYNC Async;
    NTSTATUS Status = STATUS_SUCCESS;
    if (Flags & ~(ULONG)IOP_QUERY_FLAGS)
        return STATUS_INVALID_PARAMETER;
    if (ExGetPreviousMode() != KernelMode)
        Status = MmProbeUser(Iosb, sizeof(*Iosb), 8, TRUE);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = IopBeginAsyncRequest(&Async, Handle, FILE_LIST_DIRECTORY, Event, Apc, Context, IRP_MJ_DIRECTORY_CONTROL,
                                  IRP_MN_QUERY_DIRECTORY);
    if (!NT_SUCCESS(Status))
        return Status;
    Async.Stack->Flags = (UCHAR)Flags;
    Async.Stack->Parameters.QueryDirectory.Length = Bytes;
    Async.Stack->Parameters.QueryDirectory.FileInformationClass = Class;
    Status = IopKeepPattern(&Async, Pattern);
    if (NT_SUCCESS(Status))
        Status = IopSetTransfer(Async.Irp, Async.Device, Buffer, Bytes, TRUE);
    if (!NT_SUCCESS(Status)) {
        IopDropAsync(&Async);
        return Status;
    }
    return IopSendAsync(&Async, Iosb);
}

NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                                    PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes, FILE_INFORMATION_CLASS Class,
                                    BOOLEAN Single, PUNICODE_STRING Pattern, BOOLEAN Restart)
{
    return NtQueryDirectoryFileEx(Handle, Event, Apc, Context, Iosb, Buffer, Bytes, Class,
                                  IopScanFlags(Single, Restart, FALSE), Pattern);
}

NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                                           PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes, ULONG Filter, BOOLEAN Tree)
{
    IOP_ASYNC Async;
    if (!(Filter & FILE_NOTIFY_VALID_MASK) || (Filter & ~FILE_NOTIFY_VALID_MASK))
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = IopBeginAsyncRequest(&Async, Handle, FILE_LIST_DIRECTORY, Event, Apc, Context,
                                           IRP_MJ_DIRECTORY_CONTROL, IRP_MN_NOTIFY_CHANGE_DIRECTORY);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = IopSetTransfer(Async.Irp, Async.Device, Buffer, Bytes, TRUE);
    if (!NT_SUCCESS(Status)) {
        IopDropAsync(&Async);
        return Status;
    }
    Async.Stack->Flags = Tree ? SL_WATCH_TREE : 0;
    Async.Stack->Parameters.NotifyDirectory.Length = Bytes;
    Async.Stack->Parameters.NotifyDirectory.CompletionFilter = Filter;
    return IopSendAsync(&Async, Iosb);
}

/* ---- Extended attributes, quotas, volumes ------------------------------------------------------------------------ */

/* Entries that lie in a buffer one behind the other: each begins with the distance to the next, 0 = the last. */
typedef struct _IOP_ENTRIES {
    ULONG (*Bytes)(PVOID Entry, ULONG Left); /* what it takes up; 0 = it makes no sense, or is longer than Left */
    ULONG Alignment;
    NTSTATUS Wrong;
} IOP_ENTRIES;

static NTSTATUS IopCheckEntries(const IOP_ENTRIES *Kind, PVOID Buffer, ULONG Left, PULONG ErrorOffset)
{
    for (PUCHAR Entry = Buffer;;) {
        ULONG Bytes = Kind->Bytes(Entry, Left), Next = Bytes ? *(PULONG)Entry : 0;
        *ErrorOffset = (ULONG)(Entry - (PUCHAR)Buffer);
        if (!Bytes)
            return Kind->Wrong;
        if (!Next) {
            *ErrorOffset = 0;
            return STATUS_SUCCESS;
        }
        if (((Bytes + Kind->Alignment - 1) & ~(Kind->Alignment - 1)) != Next || Next >= Left)
            return Kind->Wrong;
        Left -= Next;
        Entry += Next;
    }
}

static ULONG IopEaBytes(PVOID Entry, ULONG Left)
{
    const ULONG Fixed = FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName);
    PFILE_FULL_EA_INFORMATION Ea = Entry;
    if (Left < Fixed + 1 || Left < Fixed + Ea->EaNameLength + 1u + Ea->EaValueLength || Ea->EaName[Ea->EaNameLength])
        return 0;
    return Fixed + Ea->EaNameLength + 1 + Ea->EaValueLength;
}

/* docs: IoCheckEaBufferValidity: entries that lie in the buffer, each with a name that ends with zero. */
NTSTATUS NTAPI IoCheckEaBufferValidity(PFILE_FULL_EA_INFORMATION Ea, ULONG Bytes, PULONG ErrorOffset)
{
    static const IOP_ENTRIES Kind = {IopEaBytes, 4, STATUS_EA_LIST_INCONSISTENT};
    return IopCheckEntries(&Kind, Ea, Bytes, ErrorOffset);
}

static ULONG IopQuotaBytes(PVOID Entry, ULONG Left)
{
    const ULONG Fixed = FIELD_OFFSET(FILE_QUOTA_INFORMATION, Sid);
    PFILE_QUOTA_INFORMATION Quota = Entry;
    if (Left < Fixed + 8 || Left < Fixed + Quota->SidLength || !RtlValidSid(&Quota->Sid) ||
        RtlLengthSid(&Quota->Sid) != Quota->SidLength)
        return 0;
    return Fixed + Quota->SidLength;
}

/* docs: IoCheckQuotaBufferValidity: the same for quota entries, each with its SID. */
NTSTATUS NTAPI IoCheckQuotaBufferValidity(PFILE_QUOTA_INFORMATION Quota, ULONG Bytes, PULONG ErrorOffset)
{
    static const IOP_ENTRIES Kind = {IopQuotaBytes, 8, STATUS_QUOTA_LIST_INCONSISTENT};
    return IopCheckEntries(&Kind, Quota, Bytes, ErrorOffset);
}

/* A request with a buffer of the caller's that is waited for: function, flags and parameters as in Like. */
static NTSTATUS IopAskFile(HANDLE Handle, ULONG Access, PVOID Buffer, PIO_STATUS_BLOCK Iosb,
                           const IO_STACK_LOCATION *Like)
{
    IOP_ASYNC Async;
    NTSTATUS Status = IopBeginAsyncRequest(&Async, Handle, Access, NULL, NULL, NULL, Like->MajorFunction, 0);
    if (!NT_SUCCESS(Status))
        return Status;
    Async.Stack->Flags = Like->Flags;
    Async.Stack->Parameters = Like->Parameters;
    Async.Stack->FileObject = Async.File;
    Async.Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION; /* status block and event, nothing else */
    Async.Irp->AssociatedIrp.SystemBuffer = Buffer;
    Async.Irp->UserBuffer = Buffer;
    Status = IopCallAndWait(Async.Device, Async.Irp, Iosb);
    Async.Irp = NULL;
    IopDropAsync(&Async);
    return Status;
}

NTSTATUS NTAPI NtQueryEaFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes, BOOLEAN Single,
                             PVOID List, ULONG ListBytes, PULONG Index, BOOLEAN Restart)
{
    IO_STACK_LOCATION Like = {.MajorFunction = IRP_MJ_QUERY_EA, .Flags = IopScanFlags(Single, Restart, Index != NULL)};
    Like.Parameters.QueryEa.Length = Bytes;
    Like.Parameters.QueryEa.EaList = List;
    Like.Parameters.QueryEa.EaListLength = List ? ListBytes : 0;
    Like.Parameters.QueryEa.EaIndex = Index ? *Index : 0;
    return IopAskFile(Handle, FILE_READ_EA, Buffer, Iosb, &Like);
}

NTSTATUS NTAPI NtSetEaFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes)
{
    IO_STACK_LOCATION Like = {.MajorFunction = IRP_MJ_SET_EA};
    ULONG ErrorOffset;
    NTSTATUS Status = IoCheckEaBufferValidity(Buffer, Bytes, &ErrorOffset);
    if (!NT_SUCCESS(Status)) {
        Iosb->Status = Status;
        Iosb->Information = ErrorOffset;
        return Status;
    }
    Like.Parameters.SetEa.Length = Bytes;
    return IopAskFile(Handle, FILE_WRITE_EA, Buffer, Iosb, &Like);
}

NTSTATUS NTAPI NtQueryQuotaInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes,
                                           BOOLEAN Single, PVOID List, ULONG ListBytes, PSID Start, BOOLEAN Restart)
{
    IO_STACK_LOCATION Like = {.MajorFunction = IRP_MJ_QUERY_QUOTA, .Flags = IopScanFlags(Single, Restart, FALSE)};
    Like.Parameters.QueryQuota.Length = Bytes;
    Like.Parameters.QueryQuota.StartSid = Start;
    Like.Parameters.QueryQuota.SidList = List;
    Like.Parameters.QueryQuota.SidListLength = List ? ListBytes : 0;
    return IopAskFile(Handle, 0, Buffer, Iosb, &Like);
}

NTSTATUS NTAPI NtSetQuotaInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes)
{
    IO_STACK_LOCATION Like = {.MajorFunction = IRP_MJ_SET_QUOTA};
    ULONG ErrorOffset;
    NTSTATUS Status = IoCheckQuotaBufferValidity(Buffer, Bytes, &ErrorOffset);
    if (!NT_SUCCESS(Status)) {
        Iosb->Status = Status;
        Iosb->Information = ErrorOffset;
        return Status;
    }
    Like.Parameters.SetQuota.Length = Bytes;
    return IopAskFile(Handle, FILE_WRITE_DATA, Buffer, Iosb, &Like);
}

/* docs: ZwSetVolumeInformationFile: label, quota control, object id; each with its smallest length. */
NTSTATUS NTAPI NtSetVolumeInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes,
                                          FS_INFORMATION_CLASS Class)
{
    IO_STACK_LOCATION Like = {.MajorFunction = IRP_MJ_SET_VOLUME_INFORMATION};
    ULONG Least = Class == FileFsLabelInformation      ? sizeof(FILE_FS_LABEL_INFORMATION)
                  : Class == FileFsControlInformation  ? sizeof(FILE_FS_CONTROL_INFORMATION)
                  : Class == FileFsObjectIdInformation ? sizeof(FILE_FS_OBJECTID_INFORMATION)
                                                       : 0;
    if (!Least)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < Least)
        return STATUS_INFO_LENGTH_MISMATCH;
    Like.Parameters.SetVolume.Length = Bytes;
    Like.Parameters.SetVolume.FsInformationClass = Class;
    return IopAskFile(Handle, FILE_WRITE_DATA, Buffer, Iosb, &Like);
}
