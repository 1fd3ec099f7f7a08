/*
 * More file services: byte range locks, directory notification, extended attributes, quotas, volume information; and
 * the calls that need no request because the file system has a fast I/O routine for them. (docs: ZwLockFile,
 * ZwNotifyChangeDirectoryFile, ZwQueryEaFile, FAST_IO_DISPATCH)
 */
#include "nt.h"

/* ---- Fast I/O ---------------------------------------------------------------------------------------------------- */

#define HAS(Fast, Routine)                                                                                             \
    ((Fast) && (Fast)->SizeOfFastIoDispatch > FIELD_OFFSET(FAST_IO_DISPATCH, Routine) && (Fast)->Routine)

/* docs: for a synchronous file that is cached. FALSE: send a request. */
BOOLEAN IopFastTransfer(PFILE_OBJECT File, PDEVICE_OBJECT Device, BOOLEAN Read, PVOID Buffer, ULONG Bytes,
                        PLARGE_INTEGER Offset, PULONG Key, PIO_STATUS_BLOCK Iosb)
{
    PFAST_IO_DISPATCH Fast = Device->DriverObject->FastIoDispatch;
    IO_STATUS_BLOCK Result = {0};
    VF_CALLBACK Callback;
    BOOLEAN Done;
    if (!File->PrivateCacheMap || !(File->Flags & FO_SYNCHRONOUS_IO) || (File->Flags & FO_NO_INTERMEDIATE_BUFFERING) ||
        (Read ? !HAS(Fast, FastIoRead) : !HAS(Fast, FastIoWrite)))
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "fast I/O of device %o",
             Read ? (PVOID)(ULONG_PTR)Fast->FastIoRead : (PVOID)(ULONG_PTR)Fast->FastIoWrite, Device);
    Done = Read ? Fast->FastIoRead(File, Offset, Bytes, TRUE, Key ? *Key : 0, Buffer, &Result, Device)
                : Fast->FastIoWrite(File, Offset, Bytes, TRUE, Key ? *Key : 0, Buffer, &Result, Device);
    VfLeaveCallback(&Callback);
    if (!Done || (Result.Status != STATUS_SUCCESS && Result.Status != STATUS_BUFFER_OVERFLOW &&
                  Result.Status != STATUS_END_OF_FILE))
        return FALSE;
    *Iosb = Result;
    return TRUE;
}

/* docs: FAST_IO_DISPATCH; DeviceIoControl: asked before a request is made, with the caller's own buffers, which the I/O manager has
 * probed unless the code's method is METHOD_NEITHER. FALSE: send a request. */
BOOLEAN IopFastControl(PFILE_OBJECT File, PDEVICE_OBJECT Device, ULONG Code, PVOID In, ULONG InBytes, PVOID Out,
                       ULONG OutBytes, PIO_STATUS_BLOCK Result)
{
    PFAST_IO_DISPATCH Fast = Device->DriverObject->FastIoDispatch;
    VF_CALLBACK Callback;
    BOOLEAN Done;
    if (!HAS(Fast, FastIoDeviceControl))
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "fast I/O of device %o", (PVOID)(ULONG_PTR)Fast->FastIoDeviceControl,
             Device);
    Done = Fast->FastIoDeviceControl(File, TRUE, In, InBytes, Out, OutBytes, Code, Result, Device);
    VfLeaveCallback(&Callback);
    return Done;
}

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
            IoFreeMdl(Async->Irp->MdlAddress);
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

static BOOLEAN IopFastLock(PIOP_ASYNC Async, BOOLEAN Lock, PLARGE_INTEGER Offset, PLARGE_INTEGER Length, ULONG Key,
                           BOOLEAN FailImmediately, BOOLEAN Exclusive, PIO_STATUS_BLOCK Iosb)
{
    PFAST_IO_DISPATCH Fast = Async->Device->DriverObject->FastIoDispatch;
    PEPROCESS Process = PsGetCurrentProcess();
    IO_STATUS_BLOCK Result = {0};
    VF_CALLBACK Callback;
    BOOLEAN Done;
    if (Lock ? !HAS(Fast, FastIoLock) : !HAS(Fast, FastIoUnlockSingle))
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "fast I/O of device %o",
             Lock ? (PVOID)(ULONG_PTR)Fast->FastIoLock : (PVOID)(ULONG_PTR)Fast->FastIoUnlockSingle, Async->Device);
    Done = Lock ? Fast->FastIoLock(Async->File, Offset, Length, Process, Key, FailImmediately, Exclusive, &Result,
                                   Async->Device)
                : Fast->FastIoUnlockSingle(Async->File, Offset, Length, Process, Key, &Result, Async->Device);
    VfLeaveCallback(&Callback);
    if (Done)
        *Iosb = Result;
    return Done;
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
    if (!Apc && IopFastLock(&Async, TRUE, Offset, Length, Key, FailImmediately, Exclusive, Iosb)) {
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
    if (IopFastLock(&Async, FALSE, Offset, Length, Key, FALSE, FALSE, Iosb)) {
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
    Async.Irp->UserBuffer = Buffer;
    if (Bytes && (Async.Device->Flags & DO_DIRECT_IO)) {
        PMDL Mdl = IoAllocateMdl(Buffer, Bytes, FALSE, FALSE, Async.Irp);
        if (!Mdl) {
            IopDropAsync(&Async);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        MmProbeAndLockPages(Mdl, Async.Irp->RequestorMode, IoWriteAccess);
    }
    Async.Stack->Flags = Tree ? SL_WATCH_TREE : 0;
    Async.Stack->Parameters.NotifyDirectory.Length = Bytes;
    Async.Stack->Parameters.NotifyDirectory.CompletionFilter = Filter;
    return IopSendAsync(&Async, Iosb);
}

/* ---- Extended attributes, quotas, volumes ------------------------------------------------------------------------ */

/* docs: IoCheckEaBufferValidity: entries that lie in the buffer, each with a name that ends with zero. */
NTSTATUS NTAPI IoCheckEaBufferValidity(PFILE_FULL_EA_INFORMATION Ea, ULONG Bytes, PULONG ErrorOffset)
{
    PUCHAR Start = (PUCHAR)Ea;
    for (ULONG Left = Bytes;;) {
        const ULONG Fixed = FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName);
        *ErrorOffset = (ULONG)((PUCHAR)Ea - Start);
        if (Left < Fixed + 1 || Left < Fixed + Ea->EaNameLength + 1u + Ea->EaValueLength ||
            Ea->EaName[Ea->EaNameLength])
            return STATUS_EA_LIST_INCONSISTENT;
        ULONG Need = Fixed + Ea->EaNameLength + 1 + Ea->EaValueLength;
        if (!Ea->NextEntryOffset) {
            *ErrorOffset = 0;
            return STATUS_SUCCESS;
        }
        if (((Need + 3) & ~3u) != Ea->NextEntryOffset || Ea->NextEntryOffset >= Left)
            return STATUS_EA_LIST_INCONSISTENT;
        Left -= Ea->NextEntryOffset;
        Ea = (PVOID)((PUCHAR)Ea + Ea->NextEntryOffset);
    }
}

/* docs: IoCheckQuotaBufferValidity: the same for quota entries, each with its SID. */
NTSTATUS NTAPI IoCheckQuotaBufferValidity(PFILE_QUOTA_INFORMATION Quota, ULONG Bytes, PULONG ErrorOffset)
{
    PUCHAR Start = (PUCHAR)Quota;
    for (ULONG Left = Bytes;;) {
        const ULONG Fixed = FIELD_OFFSET(FILE_QUOTA_INFORMATION, Sid);
        *ErrorOffset = (ULONG)((PUCHAR)Quota - Start);
        if (Left < Fixed + 8 || Left < Fixed + Quota->SidLength || !RtlValidSid(&Quota->Sid) ||
            RtlLengthSid(&Quota->Sid) != Quota->SidLength)
            return STATUS_QUOTA_LIST_INCONSISTENT;
        if (!Quota->NextEntryOffset) {
            *ErrorOffset = 0;
            return STATUS_SUCCESS;
        }
        if (((Fixed + Quota->SidLength + 7) & ~7u) != Quota->NextEntryOffset || Quota->NextEntryOffset >= Left)
            return STATUS_QUOTA_LIST_INCONSISTENT;
        Left -= Quota->NextEntryOffset;
        Quota = (PVOID)((PUCHAR)Quota + Quota->NextEntryOffset);
    }
}

/* Requests with a buffer of the caller's that are waited for. */
static NTSTATUS IopAskFile(HANDLE Handle, ULONG Access, UCHAR Major, PVOID Buffer, PIO_STATUS_BLOCK Iosb,
                           VOID (*Fill)(PIO_STACK_LOCATION, PVOID), PVOID Context)
{
    IOP_ASYNC Async;
    NTSTATUS Status = IopBeginAsyncRequest(&Async, Handle, Access, NULL, NULL, NULL, Major, 0);
    if (!NT_SUCCESS(Status))
        return Status;
    Fill(Async.Stack, Context);
    Async.Stack->FileObject = Async.File;
    Async.Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION; /* status block and event, nothing else */
    Async.Irp->AssociatedIrp.SystemBuffer = Buffer;
    Async.Irp->UserBuffer = Buffer;
    Status = IopCallAndWait(Async.Device, Async.Irp, Iosb);
    Async.Irp = NULL;
    IopDropAsync(&Async);
    return Status;
}

typedef struct _IOP_EA_QUERY {
    ULONG Bytes, Flags, ListBytes, Index;
    PVOID List;
} IOP_EA_QUERY;

static VOID IopFillQueryEa(PIO_STACK_LOCATION Stack, PVOID Context)
{
    IOP_EA_QUERY *Query = Context;
    Stack->Flags = (UCHAR)Query->Flags;
    Stack->Parameters.QueryEa.Length = Query->Bytes;
    Stack->Parameters.QueryEa.EaList = Query->List;
    Stack->Parameters.QueryEa.EaListLength = Query->ListBytes;
    Stack->Parameters.QueryEa.EaIndex = Query->Index;
}

NTSTATUS NTAPI NtQueryEaFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes, BOOLEAN Single,
                             PVOID List, ULONG ListBytes, PULONG Index, BOOLEAN Restart)
{
    IOP_EA_QUERY Query = {.Bytes = Bytes,
                          .Flags = (Single ? SL_RETURN_SINGLE_ENTRY : 0) | (Restart ? SL_RESTART_SCAN : 0) |
                                   (Index ? SL_INDEX_SPECIFIED : 0),
                          .ListBytes = List ? ListBytes : 0,
                          .Index = Index ? *Index : 0,
                          .List = List};
    return IopAskFile(Handle, FILE_READ_EA, IRP_MJ_QUERY_EA, Buffer, Iosb, IopFillQueryEa, &Query);
}

static VOID IopFillSetEa(PIO_STACK_LOCATION Stack, PVOID Context)
{
    Stack->Parameters.SetEa.Length = *(PULONG)Context;
}

NTSTATUS NTAPI NtSetEaFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes)
{
    ULONG ErrorOffset;
    NTSTATUS Status = IoCheckEaBufferValidity(Buffer, Bytes, &ErrorOffset);
    if (!NT_SUCCESS(Status)) {
        Iosb->Status = Status;
        Iosb->Information = ErrorOffset;
        return Status;
    }
    return IopAskFile(Handle, FILE_WRITE_EA, IRP_MJ_SET_EA, Buffer, Iosb, IopFillSetEa, &Bytes);
}

typedef struct _IOP_QUOTA_QUERY {
    ULONG Bytes, Flags, ListBytes;
    PVOID List;
    PSID Start;
} IOP_QUOTA_QUERY;

static VOID IopFillQueryQuota(PIO_STACK_LOCATION Stack, PVOID Context)
{
    IOP_QUOTA_QUERY *Query = Context;
    Stack->Flags = (UCHAR)Query->Flags;
    Stack->Parameters.QueryQuota.Length = Query->Bytes;
    Stack->Parameters.QueryQuota.StartSid = Query->Start;
    Stack->Parameters.QueryQuota.SidList = Query->List;
    Stack->Parameters.QueryQuota.SidListLength = Query->ListBytes;
}

NTSTATUS NTAPI NtQueryQuotaInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes,
                                           BOOLEAN Single, PVOID List, ULONG ListBytes, PSID Start, BOOLEAN Restart)
{
    IOP_QUOTA_QUERY Query = {.Bytes = Bytes,
                             .Flags = (Single ? SL_RETURN_SINGLE_ENTRY : 0) | (Restart ? SL_RESTART_SCAN : 0),
                             .ListBytes = List ? ListBytes : 0,
                             .List = List,
                             .Start = Start};
    return IopAskFile(Handle, 0, IRP_MJ_QUERY_QUOTA, Buffer, Iosb, IopFillQueryQuota, &Query);
}

static VOID IopFillSetQuota(PIO_STACK_LOCATION Stack, PVOID Context)
{
    Stack->Parameters.SetQuota.Length = *(PULONG)Context;
}

NTSTATUS NTAPI NtSetQuotaInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes)
{
    ULONG ErrorOffset;
    NTSTATUS Status = IoCheckQuotaBufferValidity(Buffer, Bytes, &ErrorOffset);
    if (!NT_SUCCESS(Status)) {
        Iosb->Status = Status;
        Iosb->Information = ErrorOffset;
        return Status;
    }
    return IopAskFile(Handle, FILE_WRITE_DATA, IRP_MJ_SET_QUOTA, Buffer, Iosb, IopFillSetQuota, &Bytes);
}

typedef struct _IOP_VOLUME_SET {
    ULONG Bytes, Class;
} IOP_VOLUME_SET;

static VOID IopFillSetVolume(PIO_STACK_LOCATION Stack, PVOID Context)
{
    IOP_VOLUME_SET *Set = Context;
    Stack->Parameters.SetVolume.Length = Set->Bytes;
    Stack->Parameters.SetVolume.FsInformationClass = Set->Class;
}

/* docs: ZwSetVolumeInformationFile: label, quota control, object id; each with its smallest length. */
NTSTATUS NTAPI NtSetVolumeInformationFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Bytes,
                                          FS_INFORMATION_CLASS Class)
{
    IOP_VOLUME_SET Set = {Bytes, Class};
    ULONG Least = Class == FileFsLabelInformation      ? sizeof(FILE_FS_LABEL_INFORMATION)
                  : Class == FileFsControlInformation  ? sizeof(FILE_FS_CONTROL_INFORMATION)
                  : Class == FileFsObjectIdInformation ? sizeof(FILE_FS_OBJECTID_INFORMATION)
                                                       : 0;
    if (!Least)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < Least)
        return STATUS_INFO_LENGTH_MISMATCH;
    return IopAskFile(Handle, FILE_WRITE_DATA, IRP_MJ_SET_VOLUME_INFORMATION, Buffer, Iosb, IopFillSetVolume, &Set);
}
