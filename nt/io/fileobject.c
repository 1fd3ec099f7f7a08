/*
 * What drivers that hold a file object ask and set without a handle, and what they can mark it with.
 */
#include "nt.h"

/* ---- Questions and orders, by a request that is waited for ----------------------------------------------------------
 */

static NTSTATUS IopAsk(PFILE_OBJECT File, UCHAR Major, ULONG Class, PVOID Buffer, ULONG Bytes, PIO_STATUS_BLOCK Iosb)
{
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize, File);
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
    Irp->AssociatedIrp.SystemBuffer = Buffer;
    Irp->UserBuffer = Buffer;
    Stack->MajorFunction = Major;
    Stack->FileObject = File;
    Stack->Parameters.QueryFile.Length = Bytes; /* the four kinds have these two fields in the same place */
    Stack->Parameters.QueryFile.FileInformationClass = Class;
    return IopCallAndWait(Device, Irp, Iosb);
}

NTSTATUS NTAPI IoQueryVolumeInformation(PFILE_OBJECT File, FS_INFORMATION_CLASS Class, ULONG Bytes, PVOID Buffer,
                                        PULONG Returned)
{
    IO_STATUS_BLOCK Iosb = {0};
    NTSTATUS Status = IopAsk(File, IRP_MJ_QUERY_VOLUME_INFORMATION, Class, Buffer, Bytes, &Iosb);
    *Returned = (ULONG)Iosb.Information;
    return Status;
}

/* docs: IoCheckQuerySetFileInformation: is the class one, and the buffer long enough. */
NTSTATUS NTAPI IoCheckQuerySetFileInformation(FILE_INFORMATION_CLASS Class, ULONG Bytes, BOOLEAN Set)
{
    ULONG Least = IopClassBytes(Class, Set);
    return !Least ? STATUS_INVALID_INFO_CLASS : Bytes < Least ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
}

NTSTATUS NTAPI IoCheckQuerySetVolumeInformation(FS_INFORMATION_CLASS Class, ULONG Bytes, BOOLEAN Set)
{
    static const UCHAR Query[] = {[FileFsVolumeInformation] = sizeof(FILE_FS_VOLUME_INFORMATION),
                                  [FileFsSizeInformation] = sizeof(FILE_FS_SIZE_INFORMATION),
                                  [FileFsDeviceInformation] = sizeof(FILE_FS_DEVICE_INFORMATION),
                                  [FileFsAttributeInformation] = sizeof(FILE_FS_ATTRIBUTE_INFORMATION),
                                  [FileFsControlInformation] = sizeof(FILE_FS_CONTROL_INFORMATION),
                                  [FileFsFullSizeInformation] = sizeof(FILE_FS_FULL_SIZE_INFORMATION),
                                  [FileFsObjectIdInformation] = sizeof(FILE_FS_OBJECTID_INFORMATION)};
    static const UCHAR Orders[] = {[FileFsLabelInformation] = sizeof(FILE_FS_LABEL_INFORMATION),
                                   [FileFsControlInformation] = sizeof(FILE_FS_CONTROL_INFORMATION),
                                   [FileFsObjectIdInformation] = sizeof(FILE_FS_OBJECTID_INFORMATION)};
    ULONG Least = Set                            ? (ULONG)Class < sizeof(Orders) ? Orders[Class] : 0
                  : (ULONG)Class < sizeof(Query) ? Query[Class]
                                                 : 0;
    return !Least ? STATUS_INVALID_INFO_CLASS : Bytes < Least ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
}

/* What the file's driver says its name is, below the device; the caller frees it. */
static NTSTATUS IopAskFileName(PFILE_OBJECT File, PFILE_NAME_INFORMATION *Name)
{
    const ULONG Room = FIELD_OFFSET(FILE_NAME_INFORMATION, FileName) + 0xFFFE; /* as much as a UNICODE_STRING takes */
    ULONG Bytes;
    *Name = ExpTryAllocate(Room, 'nDoI');
    if (!*Name)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS Status = IoQueryFileInformation(File, FileNameInformation, Room, *Name, &Bytes);
    if (!NT_SUCCESS(Status)) {
        ExpFree(*Name);
        *Name = NULL;
    }
    return Status;
}

/* Asked for a name: no driver that knows names, or an open that has none (a volume). */
static BOOLEAN IopIsNameless(NTSTATUS Status)
{
    return Status == STATUS_INVALID_DEVICE_REQUEST || Status == STATUS_NOT_IMPLEMENTED ||
           Status == STATUS_INVALID_PARAMETER;
}

/*
 * The name of a file (docs: ObQueryNameString): its device's, and behind it what the driver says. A driver that does not
 * know names, or this open has none, leaves the device's.
 */
NTSTATUS IopQueryFileName(PVOID Body, PWSTR Buffer, ULONG Bytes, PULONG Length)
{
    PFILE_OBJECT File = Body;
    PFILE_NAME_INFORMATION Name;
    WCHAR Device[128]; /* STATUS_INFO_LENGTH_MISMATCH: nobody calls a device so */
    ULONG DeviceBytes;
    NTSTATUS Status = ObpFullName(File->DeviceObject, Device, sizeof(Device), &DeviceBytes);
    if (NT_SUCCESS(Status))
        Status = IopAskFileName(File, &Name);
    if (!NT_SUCCESS(Status) && !IopIsNameless(Status))
        return Status;
    ULONG NameBytes = NT_SUCCESS(Status) ? Name->FileNameLength : 0, Fits = min(DeviceBytes, Bytes);
    RtlCopyMemory(Buffer, Device, Fits);
    if (NT_SUCCESS(Status)) {
        RtlCopyMemory((PUCHAR)Buffer + Fits, Name->FileName, min(NameBytes, Bytes - Fits));
        ExpFree(Name);
    }
    *Length = DeviceBytes + NameBytes;
    return *Length > Bytes ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* docs: IoQueryFileDosDeviceName: drive and path in paged pool, which the caller frees. */
NTSTATUS NTAPI IoQueryFileDosDeviceName(PFILE_OBJECT File, POBJECT_NAME_INFORMATION *Result)
{
    UNICODE_STRING Drive = RTL_CONSTANT_STRING(L"C:");
    PFILE_NAME_INFORMATION Name;
    *Result = NULL;
    if (File->DeviceObject != FsdDisk)
        return STATUS_OBJECT_NAME_NOT_FOUND; /* no drive letter leads to other devices' volumes */
    NTSTATUS Status = IopAskFileName(File, &Name);
    if (NT_SUCCESS(Status) || IopIsNameless(Status)) {
        ULONG Rest = Name ? Name->FileNameLength : 0, Text = Drive.Length + Rest;
        *Result = ExAllocatePoolWithTag(PagedPool, sizeof(**Result) + Text + sizeof(WCHAR), 'nDoI');
        if (*Result) {
            PWCH To = (PWCH)(*Result + 1);
            (*Result)->Name = (UNICODE_STRING){(USHORT)Text, (USHORT)(Text + sizeof(WCHAR)), To};
            RtlCopyMemory(To, Drive.Buffer, Drive.Length);
            if (Name)
                RtlCopyMemory(To + Drive.Length / sizeof(WCHAR), Name->FileName, Rest);
            To[Text / sizeof(WCHAR)] = 0;
        }
        Status = *Result ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
        if (Name)
            ExpFree(Name);
    }
    return Status;
}

/* docs: IoReplaceFileObjectName: for filters that send an open elsewhere (STATUS_REPARSE). */
NTSTATUS NTAPI IoReplaceFileObjectName(PFILE_OBJECT File, PWSTR NewName, USHORT Bytes)
{
    USHORT Room = Bytes + sizeof(WCHAR);
    if (File->FileName.MaximumLength < Room) {
        PWCH Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Room, 'mNoI');
        if (!Buffer)
            return STATUS_INSUFFICIENT_RESOURCES;
        if (File->FileName.Buffer)
            ExFreePool(File->FileName.Buffer);
        File->FileName.Buffer = Buffer;
        File->FileName.MaximumLength = Room;
    }
    RtlCopyMemory(File->FileName.Buffer, NewName, Bytes);
    File->FileName.Length = Bytes;
    return STATUS_SUCCESS;
}

/* docs: IoFastQueryNetworkAttributes: opens, asks, closes; FALSE only when it could not be tried. */
BOOLEAN NTAPI IoFastQueryNetworkAttributes(POBJECT_ATTRIBUTES Attributes, ACCESS_MASK Access, ULONG Options,
                                           PIO_STATUS_BLOCK Iosb, PFILE_NETWORK_OPEN_INFORMATION Buffer)
{
    HANDLE Handle;
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    Iosb->Status =
        IoCreateFile(&Handle, Access, Attributes, Iosb, NULL, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                     FILE_OPEN, Options, NULL, 0, CreateFileTypeNone, NULL, IO_NO_PARAMETER_CHECKING);
    if (NT_SUCCESS(Iosb->Status)) {
        Iosb->Status = NtQueryInformationFile(Handle, Iosb, Buffer, sizeof(*Buffer), FileNetworkOpenInformation);
        NtClose(Handle);
    }
    KiEndKernelMode(Mode, STATUS_SUCCESS);
    return TRUE;
}

/* docs: IoCancelFileOpen: a filter undoes an open that has succeeded below it. */
VOID NTAPI IoCancelFileOpen(PDEVICE_OBJECT Device, PFILE_OBJECT File)
{
    static const UCHAR Majors[] = {IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Majors); i++) {
        PIRP Irp = IopAllocateIrp(Device->StackSize, File);
        IO_STATUS_BLOCK Iosb;
        if (!Irp)
            KiInternalError("no memory to undo an open");
        Irp->Flags = IRP_CLOSE_OPERATION | IRP_SYNCHRONOUS_API;
        IoGetNextIrpStackLocation(Irp)->MajorFunction = Majors[i];
        IoGetNextIrpStackLocation(Irp)->FileObject = File;
        IopCallAndWait(Device, Irp, &Iosb);
    }
    File->Flags |= FO_FILE_OPEN_CANCELLED;
}

/* ---- Marks ------------------------------------------------------------------------------------------------------- */

static PIOP_FILE_EXTENSION IopMarks(PFILE_OBJECT File)
{
    return File->FileObjectExtension;
}

NTSTATUS NTAPI IoSetFileOrigin(PFILE_OBJECT File, BOOLEAN Remote)
{
    if (Remote)
        File->Flags |= FO_REMOTE_ORIGIN;
    else
        File->Flags &= ~FO_REMOTE_ORIGIN;
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI IoIsFileOriginRemote(PFILE_OBJECT File)
{
    return (File->Flags & FO_REMOTE_ORIGIN) != 0;
}

NTSTATUS NTAPI IoSetFileObjectIgnoreSharing(PFILE_OBJECT File)
{
    PIOP_FILE_EXTENSION Extension = IopFileExtension(File);
    if (!Extension)
        return STATUS_INSUFFICIENT_RESOURCES;
    Extension->IgnoreSharing = TRUE;
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI IoIsFileObjectIgnoringSharing(PFILE_OBJECT File)
{
    return IopMarks(File) && IopMarks(File)->IgnoreSharing;
}

/* docs: NULL for a file that was opened in no transaction. */
PTXN_PARAMETER_BLOCK NTAPI IoGetTransactionParameterBlock(PFILE_OBJECT File)
{
    return IopMarks(File) ? IopMarks(File)->Transaction : NULL;
}

/* docs: IoGetSiloParameters: NULL for a file outside of containers; there is none. */
PIO_FOEXT_SILO_PARAMETERS NTAPI IoGetSiloParameters(PFILE_OBJECT File)
{
    return NULL;
}

POPLOCK_KEY_ECP_CONTEXT NTAPI IoGetOplockKeyContext(PFILE_OBJECT File)
{
    return IopMarks(File) && IopMarks(File)->HasOplockKey ? (POPLOCK_KEY_ECP_CONTEXT)&IopMarks(File)->OplockKey : NULL;
}

POPLOCK_KEY_CONTEXT NTAPI IoGetOplockKeyContextEx(PFILE_OBJECT File)
{
    return IopMarks(File) && IopMarks(File)->KeyContext.Flags ? &IopMarks(File)->KeyContext : NULL;
}

/* docs: GUID_ECP_OPLOCK_KEY has the file's own key, GUID_ECP_DUAL_OPLOCK_KEY one of its directory, too. */
static VOID IopTakeKeys(POPLOCK_KEY_CONTEXT To, PVOID Ecps)
{
    static const GUID Own = {0x48850596, 0x3050, 0x4be7, {0x98, 0x63, 0xfe, 0xc3, 0x50, 0xce, 0x8d, 0x7f}};
    static const GUID Both = {0x41621a14, 0xb08b, 0x4df1, {0xb6, 0x76, 0xa0, 0x5f, 0xfd, 0xf0, 0x1b, 0xea}};
    POPLOCK_KEY_ECP_CONTEXT Key = NULL;
    PDUAL_OPLOCK_KEY_ECP_CONTEXT Keys = NULL;
    RtlZeroMemory(To, sizeof(*To));
    To->Version = OPLOCK_KEY_VERSION_WIN8;
    FsRtlFindExtraCreateParameter(Ecps, &Own, (PVOID *)&Key, NULL);
    FsRtlFindExtraCreateParameter(Ecps, &Both, (PVOID *)&Keys, NULL);
    if (Key) {
        To->Version = OPLOCK_KEY_VERSION_WIN7;
        To->TargetOplockKey = Key->OplockKey;
        To->Flags = OPLOCK_KEY_FLAG_TARGET_KEY;
    } else if (Keys) {
        To->TargetOplockKey = Keys->OplockKey;
        To->ParentOplockKey = Keys->ParentOplockKey;
        To->Flags = (Keys->OplockKeySet ? OPLOCK_KEY_FLAG_TARGET_KEY : 0) |
                    (Keys->ParentOplockKeySet ? OPLOCK_KEY_FLAG_PARENT_KEY : 0);
    }
}

/* What a create's extra parameters and context say about the file object. */
NTSTATUS IopMarkFile(PFILE_OBJECT File, PVOID Ecps, PDEVICE_OBJECT Top, PTXN_PARAMETER_BLOCK Transaction)
{
    OPLOCK_KEY_CONTEXT Keys = {0};
    if (Ecps)
        IopTakeKeys(&Keys, Ecps);
    if (!Keys.Flags && !Top && !Transaction)
        return STATUS_SUCCESS;
    PIOP_FILE_EXTENSION Extension = IopFileExtension(File);
    if (!Extension)
        return STATUS_INSUFFICIENT_RESOURCES;
    Extension->TopDevice = Top;
    Extension->Transaction = Transaction;
    Extension->KeyContext = Keys;
    Extension->OplockKey = Keys.TargetOplockKey;
    Extension->HasOplockKey = (Keys.Flags & OPLOCK_KEY_FLAG_TARGET_KEY) != 0;
    return STATUS_SUCCESS;
}

/* ---- Applications kept alive ------------------------------------------------------------------------------------- */

/* How often a driver has asked that a process not be suspended while it works on a file for it. Nobody suspends processes
 * here; the counts are kept so that a driver's mistake in them shows. (docs: IoIncrementKeepAliveCount) */
typedef struct _IOP_KEEP_ALIVE {
    LIST_ENTRY Entry;
    PFILE_OBJECT File;
    PEPROCESS Process; /* referenced */
    ULONG Count;
} IOP_KEEP_ALIVE, *PIOP_KEEP_ALIVE;

static LIST_ENTRY IopKeptAlive = {&IopKeptAlive, &IopKeptAlive};

static VOID IopDropKeepAlive(PIOP_KEEP_ALIVE Kept)
{
    RemoveEntryList(&Kept->Entry);
    ObfDereferenceObject(Kept->Process);
    ExpFree(Kept);
}

static PIOP_KEEP_ALIVE IopFindKeepAlive(PFILE_OBJECT File, PEPROCESS Process)
{
    for (PLIST_ENTRY Entry = IopKeptAlive.Flink; Entry != &IopKeptAlive; Entry = Entry->Flink) {
        PIOP_KEEP_ALIVE Kept = CONTAINING_RECORD(Entry, IOP_KEEP_ALIVE, Entry);
        if (Kept->File == File && (!Process || Kept->Process == Process))
            return Kept;
    }
    return NULL;
}

VOID IopForgetKeepAlive(PFILE_OBJECT File)
{
    PIOP_KEEP_ALIVE Kept;
    while ((Kept = IopFindKeepAlive(File, NULL)) != NULL)
        IopDropKeepAlive(Kept);
}

NTSTATUS NTAPI IoIncrementKeepAliveCount(PFILE_OBJECT File, PEPROCESS Process)
{
    PIOP_KEEP_ALIVE Kept = IopFindKeepAlive(File, Process);
    if (!Kept) {
        Kept = ExpTryAllocate(sizeof(*Kept), 'aKoI');
        if (!Kept)
            return STATUS_INSUFFICIENT_RESOURCES;
        ObfReferenceObject(Process);
        *Kept = (IOP_KEEP_ALIVE){.File = File, .Process = Process};
        InsertTailList(&IopKeptAlive, &Kept->Entry);
    }
    Kept->Count++;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoDecrementKeepAliveCount(PFILE_OBJECT File, PEPROCESS Process)
{
    PIOP_KEEP_ALIVE Kept = IopFindKeepAlive(File, Process);
    if (!Kept)
        return STATUS_INVALID_PARAMETER;
    if (!--Kept->Count)
        IopDropKeepAlive(Kept);
    return STATUS_SUCCESS;
}
