/*
 * Older and rarer forms of the file system routines, and requests of a file system to devices and files below it.
 */
#include "nt.h"

/* ---- Without a device: the related one's ------------------------------------------------------------------------- */

BOOLEAN NTAPI FsRtlMdlRead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, ULONG Key, PMDL *Chain,
                           PIO_STATUS_BLOCK Iosb)
{
    return FsRtlMdlReadDev(File, Offset, Length, Key, Chain, Iosb, IoGetRelatedDeviceObject(File));
}

BOOLEAN NTAPI FsRtlMdlReadComplete(PFILE_OBJECT File, PMDL Chain)
{
    return FsRtlMdlReadCompleteDev(File, Chain, IoGetRelatedDeviceObject(File));
}

BOOLEAN NTAPI FsRtlPrepareMdlWrite(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, ULONG Key, PMDL *Chain,
                                   PIO_STATUS_BLOCK Iosb)
{
    return FsRtlPrepareMdlWriteDev(File, Offset, Length, Key, Chain, Iosb, IoGetRelatedDeviceObject(File));
}

BOOLEAN NTAPI FsRtlMdlWriteComplete(PFILE_OBJECT File, PLARGE_INTEGER Offset, PMDL Chain)
{
    return FsRtlMdlWriteCompleteDev(File, Offset, Chain, IoGetRelatedDeviceObject(File));
}

typedef struct _FSRTLP_TAKEN {
    KEVENT Event;
    PMDL Chain;
    IO_STATUS_BLOCK Iosb;
} FSRTLP_TAKEN, *PFSRTLP_TAKEN;

static NTSTATUS NTAPI FsRtlpTakeChain(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    PFSRTLP_TAKEN Taken = Context;
    Taken->Chain = Irp->MdlAddress;
    Taken->Iosb = Irp->IoStatus;
    Irp->MdlAddress = NULL; /* the caller's now */
    IoFreeIrp(Irp);
    KeSetEvent(&Taken->Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* docs: FsRtlMdlReadEx, FsRtlPrepareMdlWriteEx: the fast way, and when it says no a request with IRP_MN_MDL, which leaves the
 * chain in the IRP. */
static NTSTATUS FsRtlpMdlRequest(PFILE_OBJECT File, UCHAR Major, PLARGE_INTEGER Offset, ULONG Length, ULONG Key,
                                 PMDL *Chain, PIO_STATUS_BLOCK Iosb)
{
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize, File);
    FSRTLP_TAKEN Taken = {0};
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = Major;
    Stack->MinorFunction = IRP_MN_MDL;
    Stack->FileObject = File;
    Stack->Parameters.Read.Length = Length; /* Write has it in the same place */
    Stack->Parameters.Read.ByteOffset = *Offset;
    Stack->Parameters.Read.Key = Key;
    KeInitializeEvent(&Taken.Event, NotificationEvent, FALSE);
    IoSetCompletionRoutine(Irp, FsRtlpTakeChain, &Taken, TRUE, TRUE, TRUE);
    if (IofCallDriver(Device, Irp) == STATUS_PENDING)
        KeWaitForSingleObject(&Taken.Event, Executive, KernelMode, FALSE, NULL);
    *Chain = Taken.Chain;
    *Iosb = Taken.Iosb;
    return Iosb->Status;
}

NTSTATUS NTAPI FsRtlMdlReadEx(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, ULONG Key, PMDL *Chain,
                              PIO_STATUS_BLOCK Iosb)
{
    *Chain = NULL;
    return FsRtlMdlRead(File, Offset, Length, Key, Chain, Iosb)
               ? Iosb->Status
               : FsRtlpMdlRequest(File, IRP_MJ_READ, Offset, Length, Key, Chain, Iosb);
}

NTSTATUS NTAPI FsRtlPrepareMdlWriteEx(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, ULONG Key, PMDL *Chain,
                                      PIO_STATUS_BLOCK Iosb)
{
    *Chain = NULL;
    return FsRtlPrepareMdlWrite(File, Offset, Length, Key, Chain, Iosb)
               ? Iosb->Status
               : FsRtlpMdlRequest(File, IRP_MJ_WRITE, Offset, Length, Key, Chain, Iosb);
}

/* docs: obsolete; the file system's routines with a whole name took their place. */
VOID NTAPI FsRtlNotifyChangeDirectory(PNOTIFY_SYNC Sync, PVOID FsContext, PSTRING Directory, PLIST_ENTRY List,
                                      BOOLEAN Tree, ULONG Filter, PIRP Irp)
{
    FsRtlNotifyFullChangeDirectory(Sync, List, FsContext, Directory, Tree, TRUE, Filter, Irp, NULL, NULL);
}

VOID NTAPI FsRtlNotifyReportChange(PNOTIFY_SYNC Sync, PLIST_ENTRY List, PSTRING Target, PUSHORT NameLength, ULONG Match)
{
    FsRtlNotifyFullReportChange(Sync, List, Target, Target->Length - *NameLength, NULL, NULL, Match, 0, NULL);
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static NTSTATUS FsRtlpControl(PFILE_OBJECT File, ULONG Code, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes,
                              PULONG Returned)
{
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize, File);
    IO_STATUS_BLOCK Iosb = {0};
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = IRP_MJ_FILE_SYSTEM_CONTROL;
    Stack->MinorFunction = IRP_MN_KERNEL_CALL;
    Stack->FileObject = File;
    NTSTATUS Status = IopSetControl(Irp, Stack, Code, In, InBytes, Out, OutBytes);
    if (!NT_SUCCESS(Status)) {
        IoFreeIrp(Irp);
        return Status;
    }
    ULONG Kept = Irp->Flags;
    PVOID Buffer = Irp->AssociatedIrp.SystemBuffer;
    PMDL Mdl = Irp->MdlAddress;
    Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
    Status = IopCallAndWait(Device, Irp, &Iosb);
    if ((Kept & IRP_INPUT_OPERATION) && !NT_ERROR(Iosb.Status) && Out)
        RtlCopyMemory(Out, Buffer, Iosb.Information < OutBytes ? Iosb.Information : OutBytes);
    if (Kept & IRP_DEALLOCATE_BUFFER)
        IopFree(Buffer);
    if (Mdl) {
        MmUnlockPages(Mdl);
        IoFreeMdl(Mdl);
    }
    if (Returned)
        *Returned = (ULONG)Iosb.Information;
    return Status;
}

/* docs: FsRtlKernelFsControlFile: a file system control of the kernel's own. */
NTSTATUS NTAPI FsRtlKernelFsControlFile(PFILE_OBJECT File, ULONG Code, const VOID *In, ULONG InBytes, PVOID Out,
                                        ULONG OutBytes, PULONG Returned)
{
    return FsRtlpControl(File, Code, (PVOID)In, InBytes, Out, OutBytes, Returned);
}

/* docs: FsRtlQueryKernelEaFile, FsRtlSetKernelEaFile. */
static NTSTATUS FsRtlpEa(PFILE_OBJECT File, UCHAR Major, PVOID Buffer, ULONG Bytes, UCHAR Flags, PVOID List,
                         ULONG ListBytes, ULONG Index, PULONG Returned)
{
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize, File);
    IO_STATUS_BLOCK Iosb = {0};
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
    Irp->AssociatedIrp.SystemBuffer = Buffer;
    Irp->UserBuffer = Buffer;
    Stack->MajorFunction = Major;
    Stack->Flags = Flags;
    Stack->FileObject = File;
    Stack->Parameters.QueryEa.Length = Bytes; /* SetEa has it in the same place */
    if (Major == IRP_MJ_QUERY_EA) {
        Stack->Parameters.QueryEa.EaList = List;
        Stack->Parameters.QueryEa.EaListLength = ListBytes;
        Stack->Parameters.QueryEa.EaIndex = Index;
    }
    NTSTATUS Status = IopCallAndWait(Device, Irp, &Iosb);
    if (Returned)
        *Returned = (ULONG)Iosb.Information;
    return Status;
}

NTSTATUS NTAPI FsRtlQueryKernelEaFile(PFILE_OBJECT File, PVOID Buffer, ULONG Bytes, BOOLEAN Single, PVOID List,
                                      ULONG ListBytes, PULONG Index, BOOLEAN Restart, PULONG Returned)
{
    UCHAR Flags =
        (Single ? SL_RETURN_SINGLE_ENTRY : 0) | (Restart ? SL_RESTART_SCAN : 0) | (Index ? SL_INDEX_SPECIFIED : 0);
    return FsRtlpEa(File, IRP_MJ_QUERY_EA, Buffer, Bytes, Flags, List, ListBytes, Index ? *Index : 0, Returned);
}

NTSTATUS NTAPI FsRtlSetKernelEaFile(PFILE_OBJECT File, PVOID Buffer, ULONG Bytes)
{
    return FsRtlpEa(File, IRP_MJ_SET_EA, Buffer, Bytes, 0, NULL, 0, 0, NULL);
}

NTSTATUS NTAPI FsRtlQueryInformationFile(PFILE_OBJECT File, PVOID Buffer, ULONG Bytes, FILE_INFORMATION_CLASS Class,
                                         PULONG Returned)
{
    return IoQueryFileInformation(File, Class, Bytes, Buffer, Returned);
}

/* docs: FsRtlIssueDeviceIoControl: to a device of the storage stack, at most as long as the given override allows. */
NTSTATUS NTAPI FsRtlIssueDeviceIoControl(PDEVICE_OBJECT Device, ULONG Code, UCHAR Flags, PVOID In, ULONG InBytes,
                                         PVOID Out, ULONG OutBytes, PULONG_PTR Returned)
{
    KEVENT Event;
    IO_STATUS_BLOCK Iosb = {0};
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PIRP Irp = IoBuildDeviceIoControlRequest(Code, Device, In, InBytes, Out, OutBytes, FALSE, &Event, &Iosb);
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    IoGetNextIrpStackLocation(Irp)->Flags |= Flags;
    NTSTATUS Status = IofCallDriver(Device, Irp);
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb.Status;
    }
    if (Returned)
        *Returned = Iosb.Information;
    return Status;
}

/* docs: FsRtlBalanceReads: asks a fault-tolerant volume to read from all its members; others refuse. */
NTSTATUS NTAPI FsRtlBalanceReads(PDEVICE_OBJECT Device)
{
    const ULONG BalancedReads = CTL_CODE('f', 6, METHOD_NEITHER, FILE_ANY_ACCESS);
    return FsRtlIssueDeviceIoControl(Device, BalancedReads, 0, NULL, 0, NULL, 0, NULL);
}

/* docs: every start-up application has finished: none runs here. */
BOOLEAN NTAPI FsRtlAreVolumeStartupApplicationsComplete(VOID)
{
    return TRUE;
}

ULONG NTAPI FsRtlQueryMaximumVirtualDiskNestingLevel(VOID)
{
    return 2;
}

/* docs: "Offloaded Data Transfers": what all file system filters of the volume agree on, which the filter manager knows; there is
 * none, and without it nothing is supported. */
NTSTATUS NTAPI FsRtlGetSupportedFeatures(PDEVICE_OBJECT Device, PULONG Features)
{
    *Features = 0;
    return STATUS_SUCCESS;
}

/* docs: FsRtlLogCcFlushError: an entry in the error log and a message that data were lost, each unless the flags forbid it. */
NTSTATUS NTAPI FsRtlLogCcFlushError(PUNICODE_STRING Name, PDEVICE_OBJECT Device, PSECTION_OBJECT_POINTERS Sections,
                                    NTSTATUS Error, ULONG Flags)
{
    if (!(Flags & FSRTL_CC_FLUSH_ERROR_FLAG_NO_LOG_ENTRY)) {
        SIZE_T Text = Name->Length + sizeof(WCHAR), Room = ERROR_LOG_MAXIMUM_SIZE - sizeof(IO_ERROR_LOG_PACKET);
        Text = Text < Room ? Text : Room;
        PIO_ERROR_LOG_PACKET Entry = IoAllocateErrorLogEntry(Device, (UCHAR)(sizeof(*Entry) + Text));
        if (!Entry)
            return STATUS_INSUFFICIENT_RESOURCES;
        RtlZeroMemory(Entry, sizeof(*Entry) + Text);
        Entry->ErrorCode = IO_LOST_DELAYED_WRITE;
        Entry->FinalStatus = Error;
        Entry->NumberOfStrings = 1;
        Entry->StringOffset = sizeof(*Entry);
        RtlCopyMemory(Entry + 1, Name->Buffer, Text - sizeof(WCHAR));
        IoWriteErrorLogEntry(Entry);
    }
    if (!(Flags & FSRTL_CC_FLUSH_ERROR_FLAG_NO_HARD_ERROR))
        IoRaiseInformationalHardError(STATUS_LOST_WRITEBEHIND_DATA, Name, NULL);
    return STATUS_SUCCESS;
}

/* docs: FsRtlCreateSectionForDataScan: a section over a file object as it is, for those that look through its data; the pointer
 * and the handle are the caller's. */
NTSTATUS NTAPI FsRtlCreateSectionForDataScan(PHANDLE Handle, PVOID *Section, PLARGE_INTEGER FileSize, PFILE_OBJECT File,
                                             ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                             PLARGE_INTEGER MaximumSize, ULONG Protection, ULONG Allocation,
                                             ULONG Flags)
{
    LARGE_INTEGER Size;
    *Handle = NULL;
    *Section = NULL;
    if ((Attributes && !(Attributes->Attributes & OBJ_KERNEL_HANDLE)) || Flags ||
        (Protection != PAGE_READONLY && Protection != PAGE_READWRITE))
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = FsRtlGetFileSize(File, &Size);
    if (NT_SUCCESS(Status) && !Size.QuadPart)
        Status = STATUS_END_OF_FILE;
    if (NT_SUCCESS(Status))
        Status = MmCreateSection(Section, Access, Attributes, MaximumSize ? MaximumSize : &Size, Protection, Allocation,
                                 NULL, File);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObOpenObjectByPointer(*Section, Attributes ? Attributes->Attributes : OBJ_KERNEL_HANDLE, NULL, Access,
                                   MiSectionType, KernelMode, Handle);
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(*Section);
        *Section = NULL;
    } else if (FileSize)
        *FileSize = Size;
    return Status;
}
