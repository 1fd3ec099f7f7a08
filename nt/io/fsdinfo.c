/*
 * What files and the volume say of themselves, and what can be set: sizes, deletion, names.
 * (docs: FILE_BASIC_INFORMATION and the other information classes)
 * DIFFERS: times, and attributes other than read-only, are kept for the run and not on the host.
 */
#include "nt.h"
#include "io/fsd.h"

#define FSD_CLUSTER 4096

/* ---- Query ------------------------------------------------------------------------------------------------------- */

static VOID FsdFillBasic(PFILE_BASIC_INFORMATION Basic, const struct door_stat *Stat)
{
    RtlZeroMemory(Basic, sizeof(*Basic));
    Basic->CreationTime.QuadPart = (LONGLONG)Stat->created;
    Basic->LastAccessTime.QuadPart = (LONGLONG)Stat->accessed;
    Basic->LastWriteTime.QuadPart = (LONGLONG)Stat->written;
    Basic->ChangeTime.QuadPart = (LONGLONG)Stat->changed;
    Basic->FileAttributes = FsdAttributes(Stat);
}

/* docs: FILE_STANDARD_INFORMATION: a name that will be deleted does not count. */
static ULONG FsdLinks(PFSD_FCB Fcb, const struct door_stat *Stat)
{
    return Stat->links - (Fcb->DeletePending && !Fcb->Removed && Stat->links ? 1 : 0);
}

static VOID FsdFillStandard(PFILE_STANDARD_INFORMATION Standard, PFSD_FCB Fcb, const struct door_stat *Stat)
{
    RtlZeroMemory(Standard, sizeof(*Standard));
    Standard->AllocationSize.QuadPart = (LONGLONG)Stat->allocated;
    Standard->EndOfFile.QuadPart = (LONGLONG)Stat->size;
    Standard->NumberOfLinks = FsdLinks(Fcb, Stat);
    Standard->DeletePending = Fcb->DeletePending;
    Standard->Directory = Fcb->Directory;
}

/* The name from the volume's root on; what does not fit is cut (STATUS_BUFFER_OVERFLOW). */
static NTSTATUS FsdFillName(PFILE_NAME_INFORMATION Name, ULONG Room, PFSD_FCB Fcb, ULONG_PTR *Bytes)
{
    PWSTR Wide = ExpAllocate(FSD_PATH * sizeof(WCHAR), FSD_TAG);
    ULONG Characters = RtlpFromUtf8(Wide + 1, FSD_PATH - 1, Fcb->Path) + 1;
    ULONG Need = Characters * sizeof(WCHAR);
    Wide[0] = L'\\';
    for (ULONG i = 0; i < Characters; i++)
        if (Wide[i] == L'/')
            Wide[i] = L'\\';
    Room -= FIELD_OFFSET(FILE_NAME_INFORMATION, FileName);
    Name->FileNameLength = Need;
    Room &= ~1u; /* whole characters */
    RtlCopyMemory(Name->FileName, Wide, Need < Room ? Need : Room);
    *Bytes += FIELD_OFFSET(FILE_NAME_INFORMATION, FileName) + (Need < Room ? Need : Room);
    ExpFree(Wide);
    return Need <= Room ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* docs: FILE_STREAM_INFORMATION: a file has its one stream, a directory none. */
static NTSTATUS FsdFillStream(PFILE_STREAM_INFORMATION Stream, ULONG Room, PFSD_FCB Fcb, const struct door_stat *Stat,
                              ULONG_PTR *Bytes)
{
    static const WCHAR Name[] = L"::$DATA";
    const ULONG Fixed = FIELD_OFFSET(FILE_STREAM_INFORMATION, StreamName), Text = sizeof(Name) - sizeof(WCHAR);
    if (Fcb->Directory)
        return STATUS_SUCCESS;
    if (Room < Fixed + Text)
        return STATUS_BUFFER_OVERFLOW;
    Stream->NextEntryOffset = 0;
    Stream->StreamNameLength = Text;
    Stream->StreamSize.QuadPart = (LONGLONG)Stat->size;
    Stream->StreamAllocationSize.QuadPart = (LONGLONG)Stat->allocated;
    RtlCopyMemory(Stream->StreamName, Name, Text);
    *Bytes = Fixed + Text;
    return STATUS_SUCCESS;
}

static VOID FsdFillNetwork(PFILE_NETWORK_OPEN_INFORMATION Network, const struct door_stat *Stat)
{
    RtlZeroMemory(Network, sizeof(*Network));
    Network->CreationTime.QuadPart = (LONGLONG)Stat->created;
    Network->LastAccessTime.QuadPart = (LONGLONG)Stat->accessed;
    Network->LastWriteTime.QuadPart = (LONGLONG)Stat->written;
    Network->ChangeTime.QuadPart = (LONGLONG)Stat->changed;
    Network->AllocationSize.QuadPart = (LONGLONG)Stat->allocated;
    Network->EndOfFile.QuadPart = (LONGLONG)Stat->size;
    Network->FileAttributes = FsdAttributes(Stat);
}

static VOID FsdFillStat(PFILE_STAT_INFORMATION Information, PFSD_FCB Fcb, const struct door_stat *Stat)
{
    RtlZeroMemory(Information, sizeof(*Information));
    Information->FileId.QuadPart = (LONGLONG)Stat->id;
    Information->CreationTime.QuadPart = (LONGLONG)Stat->created;
    Information->LastAccessTime.QuadPart = (LONGLONG)Stat->accessed;
    Information->LastWriteTime.QuadPart = (LONGLONG)Stat->written;
    Information->ChangeTime.QuadPart = (LONGLONG)Stat->changed;
    Information->AllocationSize.QuadPart = (LONGLONG)Stat->allocated;
    Information->EndOfFile.QuadPart = (LONGLONG)Stat->size;
    Information->FileAttributes = FsdAttributes(Stat);
    Information->NumberOfLinks = FsdLinks(Fcb, Stat);
    Information->EffectiveAccess = FILE_ALL_ACCESS; /* everybody may do everything */
}

static NTSTATUS FsdFillClass(ULONG Class, PVOID Buffer, ULONG Room, PFSD_FCB Fcb, const struct door_stat *Stat,
                             ULONG_PTR *Bytes)
{
    PFILE_ALL_INFORMATION All = Buffer;
    PFILE_ATTRIBUTE_TAG_INFORMATION Tag = Buffer;
    switch (Class) {
    case FileBasicInformation:
        FsdFillBasic(Buffer, Stat);
        *Bytes = sizeof(FILE_BASIC_INFORMATION);
        return STATUS_SUCCESS;
    case FileStandardInformation:
        FsdFillStandard(Buffer, Fcb, Stat);
        *Bytes = sizeof(FILE_STANDARD_INFORMATION);
        return STATUS_SUCCESS;
    case FileInternalInformation:
        ((PFILE_INTERNAL_INFORMATION)Buffer)->IndexNumber.QuadPart = (LONGLONG)Stat->id;
        *Bytes = sizeof(FILE_INTERNAL_INFORMATION);
        return STATUS_SUCCESS;
    case FileEaInformation:
        ((PFILE_EA_INFORMATION)Buffer)->EaSize = 0;
        *Bytes = sizeof(FILE_EA_INFORMATION);
        return STATUS_SUCCESS;
    case FileNameInformation:
        return FsdFillName(Buffer, Room, Fcb, Bytes);
    case FileNetworkOpenInformation:
        FsdFillNetwork(Buffer, Stat);
        *Bytes = sizeof(FILE_NETWORK_OPEN_INFORMATION);
        return STATUS_SUCCESS;
    case FileAttributeTagInformation:
        Tag->FileAttributes = FsdAttributes(Stat);
        Tag->ReparseTag = 0;
        *Bytes = sizeof(*Tag);
        return STATUS_SUCCESS;
    case FileNormalizedNameInformation:
        return FsdFillName(Buffer, Room, Fcb, Bytes);
    case FileAlternateNameInformation: /* no short names are made */
        return STATUS_OBJECT_NAME_NOT_FOUND;
    case FileStreamInformation:
        return FsdFillStream(Buffer, Room, Fcb, Stat, Bytes);
    case FileCompressionInformation:
        RtlZeroMemory(Buffer, sizeof(FILE_COMPRESSION_INFORMATION));
        ((PFILE_COMPRESSION_INFORMATION)Buffer)->CompressedFileSize.QuadPart = (LONGLONG)Stat->allocated;
        *Bytes = sizeof(FILE_COMPRESSION_INFORMATION);
        return STATUS_SUCCESS;
    case FileIdInformation: {
        PFILE_ID_INFORMATION Id = Buffer;
        RtlZeroMemory(Id, sizeof(*Id));
        Id->VolumeSerialNumber = FSD_SERIAL;
        RtlCopyMemory(&Id->FileId, &Stat->id, sizeof(Stat->id));
        *Bytes = sizeof(*Id);
        return STATUS_SUCCESS;
    }
    case FileStandardLinkInformation: {
        PFILE_STANDARD_LINK_INFORMATION Links = Buffer;
        Links->NumberOfAccessibleLinks = FsdLinks(Fcb, Stat);
        Links->TotalNumberOfLinks = Stat->links;
        Links->DeletePending = Fcb->DeletePending;
        Links->Directory = Fcb->Directory;
        *Bytes = sizeof(*Links);
        return STATUS_SUCCESS;
    }
    case FileStatInformation:
        FsdFillStat(Buffer, Fcb, Stat);
        *Bytes = sizeof(FILE_STAT_INFORMATION);
        return STATUS_SUCCESS;
    case FileCaseSensitiveInformation:
        ((PFILE_CASE_SENSITIVE_INFORMATION)Buffer)->Flags = 0;
        *Bytes = sizeof(FILE_CASE_SENSITIVE_INFORMATION);
        return STATUS_SUCCESS;
    case FileAllInformation: /* the rest was filled by the I/O manager */
        FsdFillBasic(&All->BasicInformation, Stat);
        FsdFillStandard(&All->StandardInformation, Fcb, Stat);
        All->InternalInformation.IndexNumber.QuadPart = (LONGLONG)Stat->id;
        All->EaInformation.EaSize = 0;
        *Bytes = FIELD_OFFSET(FILE_ALL_INFORMATION, NameInformation);
        return FsdFillName(&All->NameInformation, Room - (ULONG)*Bytes, Fcb, Bytes);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

NTSTATUS NTAPI FsdQueryInformation(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFSD_FCB Fcb = FsdFcbOf(Stack->FileObject);
    struct door_stat Stat;
    ULONG_PTR Bytes = 0;
    NTSTATUS Status = Fcb && !Fcb->Volume ? FsdStat(Fcb, &Stat) : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status))
        Status = FsdFillClass(Stack->Parameters.QueryFile.FileInformationClass, Irp->AssociatedIrp.SystemBuffer,
                              Stack->Parameters.QueryFile.Length, Fcb, &Stat, &Bytes);
    return FsdFinish(Irp, Status, Bytes);
}

/* ---- Set --------------------------------------------------------------------------------------------------------- */

/* docs: FILE_BASIC_INFORMATION: 0 leaves a time, -1 leaves it for whatever else this handle does, less is no time;
 * attributes 0 stay, FILE_ATTRIBUTE_NORMAL alone means none. */
static NTSTATUS FsdSetBasic(PFSD_FCB Fcb, PFSD_CCB Ccb, PFILE_BASIC_INFORMATION Basic, ULONG Had)
{
    LONGLONG Time[4] = {Basic->CreationTime.QuadPart, Basic->LastAccessTime.QuadPart, Basic->LastWriteTime.QuadPart,
                        Basic->ChangeTime.QuadPart};
    ULONG Attributes = Basic->FileAttributes;
    for (ULONG i = 0; i < 4; i++)
        if (Time[i] < -2)
            return STATUS_INVALID_PARAMETER;
    if (Fcb->Directory ? (Attributes & FILE_ATTRIBUTE_TEMPORARY) : (Attributes & FILE_ATTRIBUTE_DIRECTORY))
        return STATUS_INVALID_PARAMETER;
    if (Time[2] == -1 && Ccb)
        Ccb->KeepsTimes = TRUE;
    if (!Attributes)
        Attributes = Had;
    RtlZeroMemory(&FsdRequest.stat, sizeof(FsdRequest.stat));
    FsdRequest.stat.created = Time[0] > 0 ? (UINT64)Time[0] : 0;
    FsdRequest.stat.accessed = Time[1] > 0 ? (UINT64)Time[1] : 0;
    FsdRequest.stat.written = Time[2] > 0 ? (UINT64)Time[2] : 0;
    FsdRequest.stat.changed = Time[3] > 0 ? (UINT64)Time[3] : (UINT64)KiSystemTime();
    FsdRequest.stat.attributes =
        Attributes & FSD_KEPT_ATTRIBUTES ? Attributes & FSD_KEPT_ATTRIBUTES : FILE_ATTRIBUTE_NORMAL;
    FsdRequest.stat.read_only = (Attributes & FILE_ATTRIBUTE_READONLY) != 0;
    NTSTATUS Status = FsdAskFcb(Fcb, DOOR_FILE_SET_STAT);
    if (NT_SUCCESS(Status)) {
        Fcb->ReadOnly = (Attributes & FILE_ATTRIBUTE_READONLY) != 0;
        FsdReport(Fcb->Path,
                  FILE_NOTIFY_CHANGE_ATTRIBUTES | (Time[2] > 0 ? FILE_NOTIFY_CHANGE_LAST_WRITE : 0) |
                      (Time[0] > 0 ? FILE_NOTIFY_CHANGE_CREATION : 0),
                  FILE_ACTION_MODIFIED);
    }
    return Status;
}

/* docs: FILE_DISPOSITION_INFORMATION: a directory must be empty, a read-only file stays. */
static NTSTATUS FsdSetDisposition(PFSD_FCB Fcb, PFSD_CCB Ccb, ULONG Flags)
{
    if (Fcb->Removed)
        return STATUS_FILE_DELETED;
    if (!(Flags & FILE_DISPOSITION_DELETE)) {
        Fcb->DeletePending = Fcb->RemoveReadOnly = FALSE;
        return STATUS_SUCCESS;
    }
    if ((Fcb->ReadOnly && !(Flags & FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE)) || !*Fcb->Path ||
        !MmFlushImageSection(&Fcb->Sections, MmFlushForDelete))
        return STATUS_CANNOT_DELETE; /* docs: MmFlushImageSection: nor while somebody has it mapped */
    if (Fcb->Directory) {
        NTSTATUS Status = FsdAskFcb(Fcb, DOOR_FILE_EMPTY);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    if (Ccb && (Flags & FILE_DISPOSITION_POSIX_SEMANTICS))
        Ccb->PosixDelete = TRUE;
    Fcb->RemoveReadOnly = (Flags & FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE) != 0;
    Fcb->DeletePending = TRUE;
    return STATUS_SUCCESS;
}

/* docs: FILE_DISPOSITION_INFORMATION_EX: ON_CLOSE changes what a handle opened with FILE_DELETE_ON_CLOSE will do. */
static NTSTATUS FsdSetDispositionEx(PFSD_FCB Fcb, PFSD_CCB Ccb, ULONG Flags)
{
    const ULONG Known = FILE_DISPOSITION_DELETE | FILE_DISPOSITION_POSIX_SEMANTICS |
                        FILE_DISPOSITION_FORCE_IMAGE_SECTION_CHECK | FILE_DISPOSITION_ON_CLOSE |
                        FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE;
    if (Flags & ~Known)
        return STATUS_INVALID_PARAMETER;
    if (!(Flags & FILE_DISPOSITION_ON_CLOSE))
        return FsdSetDisposition(Fcb, Ccb, Flags);
    if (!Ccb || !Ccb->MayDeleteOnClose)
        return STATUS_NOT_SUPPORTED;
    Ccb->DeleteOnClose = (Flags & FILE_DISPOSITION_DELETE) != 0;
    Ccb->PosixDelete = (Flags & FILE_DISPOSITION_POSIX_SEMANTICS) != 0;
    return STATUS_SUCCESS;
}

/* docs: IRP_MJ_SET_INFORMATION, SetFile.FileObject: the target's directory, which the I/O manager has opened; NULL: a
 * bare name in the same directory. */
static NTSTATUS FsdRenamePath(PFSD_FCB Fcb, PFILE_RENAME_INFORMATION Rename, PFILE_OBJECT Target, PCHAR Path)
{
    PCWSTR Name = Rename->FileName;
    ULONG Characters = Rename->FileNameLength / sizeof(WCHAR), Start;
    BOOLEAN Directory;
    if (Target)
        return FsdMakePath(FsdFcbOf(Target), Target->FileName.Buffer, Target->FileName.Length / sizeof(WCHAR), Path,
                           &Directory);
    PCHAR Slash = strrchr(Fcb->Path, '/');
    Start = Slash ? (ULONG)(Slash - Fcb->Path) + 1 : 0;
    for (ULONG i = 0; i < Characters; i++)
        if (Name[i] == L'\\' || Name[i] == L'/' || !Name[i])
            return STATUS_OBJECT_NAME_INVALID;
    if (!Characters || Start + 3 * Characters >= FSD_PATH)
        return Characters ? STATUS_NAME_TOO_LONG : STATUS_OBJECT_NAME_INVALID;
    RtlCopyMemory(Path, Fcb->Path, Start);
    RtlpToUtf8(Path + Start, FSD_PATH - Start, Name, Characters);
    return STATUS_SUCCESS;
}

/* docs: FILE_RENAME_INFORMATION: what is open is replaced with POSIX semantics only, what is read-only when that is to be ignored.
 * *There: the file of this name if it is open. */
static NTSTATUS FsdMayReplace(PFSD_FCB Fcb, PCSTR Path, ULONG Flags, PFSD_FCB *There)
{
    *There = NULL;
    if (!(Flags & FILE_RENAME_REPLACE_IF_EXISTS) || !NT_SUCCESS(FsdOpenPath(Path, 0)))
        return STATUS_SUCCESS; /* the host judges the rest */
    UINT64 Id = FsdRequest.stat.id;
    BOOLEAN ReadOnly = FsdRequest.stat.read_only != 0;
    FsdCloseDoor(FsdRequest.handle);
    if (Id == Fcb->Id)
        return STATUS_SUCCESS;
    if (ReadOnly && !(Flags & FILE_RENAME_IGNORE_READONLY_ATTRIBUTE))
        return STATUS_ACCESS_DENIED;
    *There = FsdFindFcb(Id);
    if (*There && (*There)->Handles && !(Flags & FILE_RENAME_POSIX_SEMANTICS))
        return STATUS_ACCESS_DENIED;
    return *There && !MmFlushImageSection(&(*There)->Sections, MmFlushForDelete) ? STATUS_ACCESS_DENIED
                                                                                 : STATUS_SUCCESS;
}

/* A new name for the file, or (Link) one more. */
static NTSTATUS FsdSetName(PFSD_FCB Fcb, PFILE_RENAME_INFORMATION Rename, ULONG Room, PFILE_OBJECT Target, ULONG Flags,
                           BOOLEAN Link)
{
    ULONG Filter = Fcb->Directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME;
    PFSD_FCB There = NULL;
    if (Room < FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName) + Rename->FileNameLength)
        return STATUS_INVALID_PARAMETER;
    if (Fcb->Removed || (Link && Fcb->DeletePending))
        return Fcb->Removed ? STATUS_FILE_DELETED : STATUS_ACCESS_DENIED;
    PCHAR Path = ExpAllocate(FSD_PATH, FSD_TAG);
    NTSTATUS Status = FsdRenamePath(Fcb, Rename, Target, Path);
    if (NT_SUCCESS(Status))
        Status = FsdMayReplace(Fcb, Path, Flags, &There);
    if (NT_SUCCESS(Status)) {
        RtlpFormat(FsdRequest.path, sizeof(FsdRequest.path), "%s", Path);
        FsdRequest.flags = Flags & FILE_RENAME_REPLACE_IF_EXISTS ? DOOR_FILE_REPLACE : 0;
        Status = FsdAskFcb(Fcb, Link ? DOOR_FILE_LINK : DOOR_FILE_RENAME);
    }
    if (Status == STATUS_OBJECT_NAME_NOT_FOUND || Status == STATUS_NOT_A_DIRECTORY)
        Status = STATUS_OBJECT_PATH_NOT_FOUND;
    if (NT_SUCCESS(Status) && There)
        There->Removed = There->DeletePending = TRUE;
    if (NT_SUCCESS(Status) && Link)
        FsdReport(Path, Filter, FILE_ACTION_ADDED);
    else if (NT_SUCCESS(Status)) {
        FsdReport(Fcb->Path, Filter, FILE_ACTION_RENAMED_OLD_NAME);
        FsdKeepPath(Fcb, Path);
        FsdReport(Fcb->Path, Filter, FILE_ACTION_RENAMED_NEW_NAME);
    }
    ExpFree(Path);
    return Status;
}

NTSTATUS NTAPI FsdSetInformation(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFSD_FCB Fcb = FsdFcbOf(Stack->FileObject);
    PVOID Buffer = Irp->AssociatedIrp.SystemBuffer;
    struct door_stat Stat;
    LONGLONG Size;
    NTSTATUS Status = Fcb && !Fcb->Volume ? FsdStat(Fcb, &Stat) : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status) && Fcb->Oplock) {
        Status = FsRtlCheckOplock(&Fcb->Oplock, Irp, NULL, NULL, NULL);
        if (Status == STATUS_SUCCESS)
            Status = FsdStat(Fcb, &Stat);
    }
    if (!NT_SUCCESS(Status))
        return FsdFinish(Irp, Status, 0);
    switch ((ULONG)Stack->Parameters.SetFile.FileInformationClass) {
    case FileBasicInformation:
        Status = FsdSetBasic(Fcb, FsdCcbOf(Stack->FileObject), Buffer, FsdAttributes(&Stat));
        break;
    case FileDispositionInformation:
        Status = FsdSetDisposition(Fcb, FsdCcbOf(Stack->FileObject),
                                   ((PFILE_DISPOSITION_INFORMATION)Buffer)->DeleteFile ? FILE_DISPOSITION_DELETE : 0);
        break;
    case FileEndOfFileInformation:
        Size = ((PFILE_END_OF_FILE_INFORMATION)Buffer)->EndOfFile.QuadPart;
        Status = Size < 0 || Fcb->Directory ? STATUS_INVALID_PARAMETER : FsdSetSize(Fcb, (UINT64)Size);
        break;
    case FileAllocationInformation: /* docs: less than the file has cuts it; more only reserves */
        Size = ((PFILE_ALLOCATION_INFORMATION)Buffer)->AllocationSize.QuadPart;
        if (Size < 0 || Fcb->Directory)
            Status = STATUS_INVALID_PARAMETER;
        else if ((UINT64)Size < Stat.size)
            Status = FsdSetSize(Fcb, (UINT64)Size);
        break;
    case FileRenameInformation:
    case FileLinkInformation: /* the same layout; the first byte is ReplaceIfExists */
        Status = FsdSetName(Fcb, Buffer, Stack->Parameters.SetFile.Length, Stack->Parameters.SetFile.FileObject,
                            *(PUCHAR)Buffer ? FILE_RENAME_REPLACE_IF_EXISTS : 0,
                            Stack->Parameters.SetFile.FileInformationClass == FileLinkInformation);
        break;
    case FileRenameInformationEx:
    case FileLinkInformationEx:
        Status =
            FsdSetName(Fcb, Buffer, Stack->Parameters.SetFile.Length, Stack->Parameters.SetFile.FileObject,
                       *(PULONG)Buffer, (ULONG)Stack->Parameters.SetFile.FileInformationClass == FileLinkInformationEx);
        break;
    case FileDispositionInformationEx:
        Status =
            FsdSetDispositionEx(Fcb, FsdCcbOf(Stack->FileObject), ((PFILE_DISPOSITION_INFORMATION_EX)Buffer)->Flags);
        break;
    case FileValidDataLengthInformation: /* all of a file is valid always */
        Size = ((PFILE_VALID_DATA_LENGTH_INFORMATION)Buffer)->ValidDataLength.QuadPart;
        Status = Size < 0 || (UINT64)Size > Stat.size || Fcb->Directory ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
        break;
    case FileShortNameInformation:
        Status = STATUS_INVALID_DEVICE_REQUEST; /* docs: of file systems without them */
        break;
    default:
        Status = STATUS_INVALID_PARAMETER;
    }
    return FsdFinish(Irp, Status, 0);
}

/* ---- The volume -------------------------------------------------------------------------------------------------- */

static NTSTATUS FsdFillVolume(ULONG Class, PVOID Buffer, ULONG Room, ULONG_PTR *Bytes)
{
    static const WCHAR System[] = L"NTFS"; /* what drivers compare with; see CAVEATS for what it cannot do */
    union {
        FILE_FS_SIZE_INFORMATION Size;
        FILE_FS_FULL_SIZE_INFORMATION Full;
        FILE_FS_VOLUME_INFORMATION Volume;
        FILE_FS_SECTOR_SIZE_INFORMATION Sector;
        struct {
            FILE_FS_ATTRIBUTE_INFORMATION Fixed;
            WCHAR Name[8];
        } Attribute;
    } Reply;
    LONGLONG Total = (LONGLONG)(FsdRequest.stat.size / FSD_CLUSTER),
             Free = (LONGLONG)(FsdRequest.stat.allocated / FSD_CLUSTER);
    RtlZeroMemory(&Reply, sizeof(Reply));
    switch (Class) {
    case FileFsSizeInformation:
        Reply.Size.TotalAllocationUnits.QuadPart = Total;
        Reply.Size.AvailableAllocationUnits.QuadPart = Free;
        Reply.Size.SectorsPerAllocationUnit = FSD_CLUSTER / 512;
        Reply.Size.BytesPerSector = 512;
        *Bytes = sizeof(Reply.Size);
        break;
    case FileFsFullSizeInformation:
        Reply.Full.TotalAllocationUnits.QuadPart = Total;
        Reply.Full.CallerAvailableAllocationUnits.QuadPart = Free;
        Reply.Full.ActualAvailableAllocationUnits.QuadPart = Free;
        Reply.Full.SectorsPerAllocationUnit = FSD_CLUSTER / 512;
        Reply.Full.BytesPerSector = 512;
        *Bytes = sizeof(Reply.Full);
        break;
    case FileFsSectorSizeInformation:
        Reply.Sector.LogicalBytesPerSector = Reply.Sector.PhysicalBytesPerSectorForAtomicity =
            Reply.Sector.PhysicalBytesPerSectorForPerformance =
                Reply.Sector.FileSystemEffectivePhysicalBytesPerSectorForAtomicity = 512;
        Reply.Sector.Flags = SSINFO_FLAGS_ALIGNED_DEVICE | SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE;
        *Bytes = sizeof(Reply.Sector);
        break;
    case FileFsVolumeInformation:
        Reply.Volume.VolumeSerialNumber = FSD_SERIAL;
        *Bytes = FIELD_OFFSET(FILE_FS_VOLUME_INFORMATION, VolumeLabel);
        break;
    case FileFsAttributeInformation:
        Reply.Attribute.Fixed.FileSystemAttributes = FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK |
                                                     FILE_SUPPORTS_HARD_LINKS | FILE_SUPPORTS_POSIX_UNLINK_RENAME;
        Reply.Attribute.Fixed.MaximumComponentNameLength = 255;
        Reply.Attribute.Fixed.FileSystemNameLength = sizeof(System) - sizeof(WCHAR);
        RtlCopyMemory(Reply.Attribute.Fixed.FileSystemName, System, sizeof(System) - sizeof(WCHAR));
        *Bytes = FIELD_OFFSET(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName) + sizeof(System) - sizeof(WCHAR);
        break;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
    /* docs: a name that does not fit is cut; for the rest the I/O manager has seen to it that there is room. */
    NTSTATUS Status = Room < *Bytes ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
    if (Room < *Bytes)
        *Bytes = Room;
    RtlCopyMemory(Buffer, &Reply, *Bytes);
    return Status;
}

NTSTATUS NTAPI FsdQueryVolume(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG_PTR Bytes = 0;
    NTSTATUS Status = FsdAsk(DOOR_FILE_VOLUME);
    if (NT_SUCCESS(Status))
        Status = FsdFillVolume(Stack->Parameters.QueryVolume.FsInformationClass, Irp->AssociatedIrp.SystemBuffer,
                               Stack->Parameters.QueryVolume.Length, &Bytes);
    return FsdFinish(Irp, Status, Bytes);
}
