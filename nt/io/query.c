/*
 * What a request, a file or the system says of itself to drivers; small and without effect.
 */
#include "nt.h"

/* ---- Who asked --------------------------------------------------------------------------------------------------- */

/* docs: IoGetRequestorProcess: NULL for a request of no thread. */
PEPROCESS NTAPI IoGetRequestorProcess(PIRP Irp)
{
    PETHREAD Thread = Irp->Tail.Overlay.Thread;
    return Thread ? (PEPROCESS)Thread->Tcb.Process : NULL;
}

ULONG NTAPI IoGetRequestorProcessId(PIRP Irp)
{
    PEPROCESS Process = IoGetRequestorProcess(Irp);
    return Process ? (ULONG)(ULONG_PTR)Process->UniqueProcessId : 0;
}

NTSTATUS NTAPI IoGetRequestorSessionId(PIRP Irp, PULONG SessionId)
{
    PEPROCESS Process = IoGetRequestorProcess(Irp);
    if (!Process) {
        *SessionId = (ULONG)-1;
        return STATUS_UNSUCCESSFUL;
    }
    return SeQuerySessionIdToken(SepPrimaryToken(Process), SessionId);
}

PEPROCESS NTAPI IoGetInitiatorProcess(PFILE_OBJECT File)
{
    return NULL; /* docs: only where a broker opened the file for another process */
}

/* docs: IoIsOperationSynchronous: synchronous paging is; asynchronous paging never is; else the request or its file. */
BOOLEAN NTAPI IoIsOperationSynchronous(PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    BOOLEAN Synchronous =
        (File && (File->Flags & FO_SYNCHRONOUS_IO)) || (Irp->Flags & (IRP_SYNCHRONOUS_API | IRP_SYNCHRONOUS_PAGING_IO));
    return Synchronous && (!(Irp->Flags & IRP_PAGING_IO) || (Irp->Flags & IRP_SYNCHRONOUS_PAGING_IO));
}

/* ---- Access ------------------------------------------------------------------------------------------------------ */

NTSTATUS NTAPI IoCheckDesiredAccess(PACCESS_MASK Desired, ACCESS_MASK Granted)
{
    RtlMapGenericMask(Desired, &IopFileType->Init.Mapping);
    return *Desired & ~Granted ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

/* docs: IRP_MJ_QUERY_INFORMATION, ZwQueryInformationFile: what access each class takes. */
static ACCESS_MASK IopAccessOfClass(FILE_INFORMATION_CLASS Class, BOOLEAN Set)
{
    switch ((ULONG)Class) {
    case FileNameInformation:
    case FileInternalInformation:
    case FileStandardInformation:
    case FilePositionInformation:
    case FileModeInformation:
    case FileAccessInformation:
    case FileAlignmentInformation:
        return 0;
    case FileDispositionInformation:
    case FileRenameInformation:
        return DELETE;
    case FileAllocationInformation:
    case FileEndOfFileInformation:
    case FileValidDataLengthInformation:
        return FILE_WRITE_DATA;
    case FileEaInformation:
    case FileFullEaInformation:
        return Set ? FILE_WRITE_EA : FILE_READ_EA;
    default:
        return Set ? FILE_WRITE_ATTRIBUTES : FILE_READ_ATTRIBUTES;
    }
}

NTSTATUS NTAPI IoCheckFunctionAccess(ACCESS_MASK Granted, UCHAR Major, UCHAR Minor, ULONG ControlCode,
                                     PVOID InformationClass, PVOID FsInformationClass)
{
    ACCESS_MASK Need = 0;
    switch (Major) {
    case IRP_MJ_READ:
        Need = FILE_READ_DATA;
        break;
    case IRP_MJ_WRITE: /* either kind of writing will do */
        return Granted & (FILE_WRITE_DATA | FILE_APPEND_DATA) ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
    case IRP_MJ_QUERY_INFORMATION:
    case IRP_MJ_SET_INFORMATION:
        Need = IopAccessOfClass(*(FILE_INFORMATION_CLASS *)InformationClass, Major == IRP_MJ_SET_INFORMATION);
        break;
    case IRP_MJ_QUERY_EA:
        Need = FILE_READ_EA;
        break;
    case IRP_MJ_SET_EA:
        Need = FILE_WRITE_EA;
        break;
    case IRP_MJ_FLUSH_BUFFERS:
        return Granted & (FILE_WRITE_DATA | FILE_APPEND_DATA) ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
    case IRP_MJ_DIRECTORY_CONTROL:
        Need = FILE_LIST_DIRECTORY;
        break;
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_INTERNAL_DEVICE_CONTROL:
    case IRP_MJ_FILE_SYSTEM_CONTROL:
        Need = (ControlCode >> 14) & 3; /* FILE_READ_ACCESS and FILE_WRITE_ACCESS are the two data rights */
        break;
    case IRP_MJ_QUERY_SECURITY:
        Need = READ_CONTROL;
        break;
    case IRP_MJ_SET_SECURITY:
        Need = WRITE_DAC;
        break;
    case IRP_MJ_CREATE:
    case IRP_MJ_CLOSE:
    case IRP_MJ_CLEANUP:
    case IRP_MJ_LOCK_CONTROL:
    case IRP_MJ_QUERY_VOLUME_INFORMATION:
    case IRP_MJ_SHUTDOWN:
        break;
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    return Need & ~Granted ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

/* docs: IoValidateDeviceIoControlAccess: only for codes that ask for no access or for any; the file's handle decides. */
NTSTATUS NTAPI IoValidateDeviceIoControlAccess(PIRP Irp, ULONG RequiredAccess)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    if (RequiredAccess & ~(FILE_READ_ACCESS | FILE_WRITE_ACCESS))
        return STATUS_INVALID_PARAMETER;
    if (Irp->RequestorMode == KernelMode || !Stack->FileObject)
        return STATUS_SUCCESS;
    BOOLEAN Read = Stack->FileObject->ReadAccess, Write = Stack->FileObject->WriteAccess;
    if (((RequiredAccess & FILE_READ_ACCESS) && !Read) || ((RequiredAccess & FILE_WRITE_ACCESS) && !Write))
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

/* ---- Priorities --------------------------------------------------------------------------------------------------- */

/* docs: IoSetIoPriorityHint: three bits of the request's flags. */
#define IOP_PRIORITY_SHIFT 17

IO_PRIORITY_HINT NTAPI IoGetIoPriorityHint(PIRP Irp)
{
    ULONG Hint = (Irp->Flags >> IOP_PRIORITY_SHIFT) & 7;
    return Hint ? (IO_PRIORITY_HINT)(Hint - 1) : IoPriorityNormal;
}

NTSTATUS NTAPI IoSetIoPriorityHint(PIRP Irp, IO_PRIORITY_HINT Hint)
{
    if ((ULONG)Hint >= MaxIoPriorityTypes)
        return STATUS_INVALID_PARAMETER;
    Irp->Flags = (Irp->Flags & ~(7u << IOP_PRIORITY_SHIFT)) | ((ULONG)Hint + 1) << IOP_PRIORITY_SHIFT;
    return STATUS_SUCCESS;
}

/* ---- The system --------------------------------------------------------------------------------------------------- */

/* docs: IoIsWdmVersionAvailable: this one and all before. */
BOOLEAN NTAPI IoIsWdmVersionAvailable(UCHAR Major, UCHAR Minor)
{
    return Major < 6 || (Major == 6 && Minor == 0);
}

/* docs: IoQueryFullDriverPath: the name is the caller's to free (pool). */
NTSTATUS NTAPI IoQueryFullDriverPath(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    if (!Driver->DriverSection)
        return STATUS_INVALID_PARAMETER;
    PUNICODE_STRING Full = PspModulePath(Driver->DriverSection);
    PVOID Buffer = ExAllocatePoolWithTag(PagedPool, Full->Length, 'pDoI');
    if (!Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Buffer, Full->Buffer, Full->Length);
    Path->Buffer = Buffer;
    Path->Length = Path->MaximumLength = Full->Length;
    return STATUS_SUCCESS;
}
