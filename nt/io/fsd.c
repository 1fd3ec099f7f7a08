/*
 * The file system of the volume C:, whose files are the host's: a driver like any other, with a device named
 * \Device\HarddiskVolume1 and dispatch routines that carry each IRP through the door.
 *
 * A file is known by the id its host side gives it; all openings share one FSD_FCB with the share access. Deletion
 * happens when the last file object is cleaned up. (docs: ZwCreateFile, IoCheckShareAccess)
 * As on Windows there are three devices: the disk, \Device\HarddiskVolume1, whose VPB is mounted from the beginning;
 * the file system's control device, \HostFiles, which is registered; and the volume's own without a name, to which
 * filters attach. (fsdctl.c has the controls, locks and the start.) DIFFERS: no cache, so nothing is lazily written; no
 * streams, links, extended attributes; a path is at most 1023 bytes of UTF-8; attributes other than directory and
 * read-only are kept for the run only.
 */
#include "nt.h"
#include "io/fsd.h"

#define FSD_BUFFER 0x10000

struct door_file FsdRequest;
#define FSD_BUCKETS 1024
static LIST_ENTRY FsdFcbs[FSD_BUCKETS]; /* by id; made when first used */

/* ---- The door ---------------------------------------------------------------------------------------------------- */

static NTSTATUS FsdStatusOf(int Error)
{
    switch (Error) {
    case DOOR_OK:
        return STATUS_SUCCESS;
    case DOOR_NOT_FOUND:
        return STATUS_OBJECT_NAME_NOT_FOUND;
    case DOOR_EXISTS:
        return STATUS_OBJECT_NAME_COLLISION;
    case DOOR_IS_DIRECTORY:
        return STATUS_FILE_IS_A_DIRECTORY;
    case DOOR_NOT_DIRECTORY:
        return STATUS_NOT_A_DIRECTORY;
    case DOOR_NOT_EMPTY:
        return STATUS_DIRECTORY_NOT_EMPTY;
    case DOOR_DENIED:
        return STATUS_ACCESS_DENIED;
    case DOOR_NO_SPACE:
        return STATUS_DISK_FULL;
    case DOOR_NO_MEMORY:
        return STATUS_INSUFFICIENT_RESOURCES;
    case DOOR_BAD_NAME:
        return STATUS_OBJECT_NAME_INVALID;
    case DOOR_END:
        return STATUS_END_OF_FILE;
    default:
        return STATUS_UNEXPECTED_IO_ERROR;
    }
}

NTSTATUS FsdAsk(ULONG Op)
{
    FsdRequest.op = Op;
    FsdRequest.volume = 0;
    return FsdStatusOf(KiDoor->file(&FsdRequest));
}

NTSTATUS FsdAskFcb(PFSD_FCB Fcb, ULONG Op)
{
    FsdRequest.handle = Fcb->Door;
    return FsdAsk(Op);
}

NTSTATUS FsdStat(PFSD_FCB Fcb, struct door_stat *Stat)
{
    NTSTATUS Status = FsdAskFcb(Fcb, DOOR_FILE_STAT);
    *Stat = FsdRequest.stat;
    return Status;
}

static NTSTATUS FsdOpenPath(PCSTR Path, ULONG Flags)
{
    RtlpFormat(FsdRequest.path, sizeof(FsdRequest.path), "%s", Path);
    FsdRequest.flags = Flags;
    return FsdAsk(DOOR_FILE_OPEN);
}

static VOID FsdCloseDoor(UINT64 Handle)
{
    FsdRequest.handle = Handle;
    FsdAsk(DOOR_FILE_CLOSE);
}

NTSTATUS FsdFinish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

ULONG FsdAttributes(const struct door_stat *Stat)
{
    ULONG Attributes = Stat->attributes | (Stat->directory ? FILE_ATTRIBUTE_DIRECTORY : 0) |
                       (Stat->read_only ? FILE_ATTRIBUTE_READONLY : 0);
    return Attributes ? Attributes : FILE_ATTRIBUTE_NORMAL;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* NTFS knows no "." and "..": it looks for the first in vain, unless it is what is asked for, and never for the second. */
static NTSTATUS FsdCheckDots(PCWSTR Name, ULONG Characters)
{
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG Start = 0, End; Start < Characters; Start = End + 1) {
        for (End = Start; End < Characters && Name[End] != L'\\'; End++)
            ;
        if (End - Start == 2 && Name[Start] == L'.' && Name[Start + 1] == L'.')
            return STATUS_OBJECT_NAME_INVALID;
        if (End - Start == 1 && Name[Start] == L'.' && Status == STATUS_SUCCESS)
            Status = End < Characters ? STATUS_OBJECT_PATH_NOT_FOUND : STATUS_OBJECT_NAME_INVALID;
    }
    return Status;
}

/* The host judges characters and components; here only what the translation would change is refused. */
NTSTATUS FsdMakePath(PFSD_FCB Related, PCWSTR Name, ULONG Characters, PCHAR Path, PBOOLEAN MustBeDirectory)
{
    ULONG Start = 0, Leading = 0;
    *MustBeDirectory = FALSE;
    if (Related && *Related->Path)
        Start = RtlpFormat(Path, FSD_PATH, Characters ? "%s/" : "%s", Related->Path);
    while (!Related && Leading < 2 && Leading < Characters && Name[Leading] == L'\\')
        Leading++; /* two separators at the beginning are one, as NTFS has it */
    Name += Leading;
    Characters -= Leading;
    for (ULONG i = 0; i < Characters; i++)
        if (Name[i] == L'/' || Name[i] == 0 || (Name[i] == L'\\' && (i == 0 || Name[i - 1] == L'\\')))
            return STATUS_OBJECT_NAME_INVALID;
    if (Characters && Name[Characters - 1] == L'\\') {
        Characters--;
        *MustBeDirectory = TRUE;
    }
    NTSTATUS Status = FsdCheckDots(Name, Characters);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Characters * 3 + Start >= FSD_PATH)
        return STATUS_NAME_TOO_LONG;
    RtlpToUtf8(Path + Start, FSD_PATH - Start, Name, Characters);
    for (PCHAR p = Path + Start; *p; p++)
        if (*p == '\\')
            *p = '/';
    return STATUS_SUCCESS;
}

/* Not found, or no name for a file: is it the name or the path that does not exist? */
static NTSTATUS FsdBlamePath(PCSTR Path, NTSTATUS Status)
{
    CHAR Parent[FSD_PATH];
    if (Status == STATUS_NOT_A_DIRECTORY)
        return STATUS_OBJECT_PATH_NOT_FOUND;
    if (Status != STATUS_OBJECT_NAME_NOT_FOUND && Status != STATUS_OBJECT_NAME_INVALID)
        return Status;
    ULONG n = RtlpFormat(Parent, sizeof(Parent), "%s", Path);
    while (n && Parent[n - 1] != '/')
        n--;
    if (n == 0)
        return Status;
    Parent[n - 1] = 0;
    NTSTATUS Above = FsdOpenPath(Parent, DOOR_FILE_DIRECTORY);
    if (!NT_SUCCESS(Above))
        return Above == STATUS_OBJECT_NAME_INVALID ? Above : STATUS_OBJECT_PATH_NOT_FOUND;
    FsdCloseDoor(FsdRequest.handle);
    return Status;
}

/* ---- Create ------------------------------------------------------------------------------------------------------ */

typedef struct _FSD_OPEN {
    PFILE_OBJECT File;
    PIRP Irp;
    PIO_STACK_LOCATION Stack;
    ULONG Access, Disposition, Options, Attributes, Share;
    BOOLEAN TargetDirectory;
    ULONG_PTR Information;
    NTSTATUS Oplock; /* a success code other than STATUS_SUCCESS, or that */
    CHAR Path[FSD_PATH];
} FSD_OPEN, *PFSD_OPEN;

static PLIST_ENTRY FsdBucket(UINT64 Id)
{
    PLIST_ENTRY List = &FsdFcbs[Id % FSD_BUCKETS];
    if (!List->Flink)
        InitializeListHead(List);
    return List;
}

static PFSD_FCB FsdFindFcb(UINT64 Id)
{
    PLIST_ENTRY List = FsdBucket(Id);
    for (PLIST_ENTRY Entry = List->Flink; Entry != List; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, FSD_FCB, Entry)->Id == Id)
            return CONTAINING_RECORD(Entry, FSD_FCB, Entry);
    return NULL;
}

/* The FCB of what FsdRequest has just opened; a second handle of the host for the same file is given back. */
static PFSD_FCB FsdTakeFcb(PCSTR Path, BOOLEAN Writable)
{
    UINT64 Door = FsdRequest.handle;
    PFSD_FCB Fcb = FsdFindFcb(FsdRequest.stat.id);
    if (Fcb) {
        if (Writable && !Fcb->Writable) {
            FsdCloseDoor(Fcb->Door);
            Fcb->Door = Door;
            Fcb->Writable = TRUE;
        } else
            FsdCloseDoor(Door);
        return Fcb;
    }
    Fcb = ExpAllocate(sizeof(*Fcb), FSD_TAG);
    RtlZeroMemory(Fcb, sizeof(*Fcb));
    Fcb->Header.NodeTypeCode = 0x0502;
    Fcb->Header.NodeByteSize = sizeof(Fcb->Header);
    ExInitializeFastMutex(&Fcb->Mutex);
    FsRtlSetupAdvancedHeader(&Fcb->Header, &Fcb->Mutex);
    FsRtlInitializeFileLock(&Fcb->Lock, NULL, NULL);
    FsRtlInitializeOplock(&Fcb->Oplock);
    Fcb->Door = Door;
    Fcb->Writable = Writable;
    Fcb->Id = FsdRequest.stat.id;
    Fcb->Directory = FsdRequest.stat.directory != 0;
    Fcb->ReadOnly = FsdRequest.stat.read_only != 0;
    Fcb->Header.FileSize.QuadPart = (LONGLONG)FsdRequest.stat.size;
    RtlpFormat(Fcb->Path, sizeof(Fcb->Path), "%s", Path);
    InsertTailList(FsdBucket(Fcb->Id), &Fcb->Entry);
    return Fcb;
}

static VOID FsdReleaseFcb(PFSD_FCB Fcb)
{
    if (Fcb->Opens)
        return;
    FsdCloseDoor(Fcb->Door);
    RemoveEntryList(&Fcb->Entry);
    FsRtlUninitializeOplock(&Fcb->Oplock);
    FsRtlUninitializeFileLock(&Fcb->Lock);
    FsRtlTeardownPerStreamContexts(&Fcb->Header);
    VfRangeGoes((UINT64)Fcb, sizeof(*Fcb), "freed");
    ExpFree(Fcb);
}

/* Names may lead to read-only media or files: what was opened for reading is opened anew when it is written. */
NTSTATUS FsdMakeWritable(PFSD_FCB Fcb)
{
    if (Fcb->Writable)
        return STATUS_SUCCESS;
    NTSTATUS Status = FsdOpenPath(Fcb->Path, DOOR_FILE_WRITABLE);
    if (!NT_SUCCESS(Status))
        return Status;
    UINT64 Door = FsdRequest.handle;
    FsdCloseDoor(Fcb->Door);
    Fcb->Door = Door;
    Fcb->Writable = TRUE;
    return STATUS_SUCCESS;
}

static BOOLEAN FsdOverwrites(ULONG Disposition)
{
    return Disposition == FILE_SUPERSEDE || Disposition == FILE_OVERWRITE || Disposition == FILE_OVERWRITE_IF;
}

/* What a create asks for and the file keeps. docs: FileAttributes of ZwCreateFile. */
static VOID FsdSetAttributes(PFSD_FCB Fcb, ULONG Attributes)
{
    RtlZeroMemory(&FsdRequest.stat, sizeof(FsdRequest.stat));
    FsdRequest.stat.attributes =
        Attributes & FSD_KEPT_ATTRIBUTES ? Attributes & FSD_KEPT_ATTRIBUTES : FILE_ATTRIBUTE_NORMAL;
    FsdRequest.stat.read_only = (Attributes & FILE_ATTRIBUTE_READONLY) != 0;
    if (NT_SUCCESS(FsdAskFcb(Fcb, DOOR_FILE_SET_STAT)))
        Fcb->ReadOnly = (Attributes & FILE_ATTRIBUTE_READONLY) != 0;
}

/* docs: SL_OPEN_TARGET_DIRECTORY: the directory of the file that is named; FileName becomes the last component, and
 * Information tells whether that is there. */
static NTSTATUS FsdOpenTarget(PFSD_OPEN Open)
{
    PFILE_OBJECT File = Open->File;
    PCHAR Slash = strrchr(Open->Path, '/');
    ULONG Characters = File->FileName.Length / sizeof(WCHAR), Last = Characters;
    if (!*Open->Path)
        return STATUS_OBJECT_NAME_INVALID;
    NTSTATUS Status = FsdOpenPath(Open->Path, 0);
    if (NT_SUCCESS(Status))
        FsdCloseDoor(FsdRequest.handle);
    else if (FsdBlamePath(Open->Path, Status) != STATUS_OBJECT_NAME_NOT_FOUND)
        return FsdBlamePath(Open->Path, Status);
    Open->Information = NT_SUCCESS(Status) ? FILE_EXISTS : FILE_DOES_NOT_EXIST;
    if (Slash)
        *Slash = 0;
    else
        *Open->Path = 0;
    Status = FsdOpenPath(Open->Path, DOOR_FILE_DIRECTORY);
    if (!NT_SUCCESS(Status))
        return Status;
    PFSD_FCB Fcb = FsdTakeFcb(Open->Path, FALSE);
    if (Fcb->Opens)
        Status = IoCheckShareAccess(Open->Access, Open->Share, File, &Fcb->Share, FALSE);
    if (!NT_SUCCESS(Status)) {
        FsdReleaseFcb(Fcb);
        return Status;
    }
    File->FsContext = Fcb;
    while (Last && File->FileName.Buffer[Last - 1] == L'\\')
        Last--;
    Characters = Last;
    while (Last && File->FileName.Buffer[Last - 1] != L'\\')
        Last--;
    RtlMoveMemory(File->FileName.Buffer, File->FileName.Buffer + Last, (Characters - Last) * sizeof(WCHAR));
    File->FileName.Length = (USHORT)((Characters - Last) * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/* The file is there and FsdRequest holds it open. */
static NTSTATUS FsdOpenExisting(PFSD_OPEN Open, BOOLEAN MustBeDirectory)
{
    BOOLEAN Directory = FsdRequest.stat.directory != 0, ReadOnly = FsdRequest.stat.read_only != 0;
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Writes = FILE_WRITE_DATA | FILE_APPEND_DATA;
    if (Open->Disposition == FILE_CREATE)
        Status = !*Open->Path                    ? STATUS_ACCESS_DENIED /* the root */
                 : MustBeDirectory && !Directory ? STATUS_OBJECT_NAME_INVALID
                                                 : STATUS_OBJECT_NAME_COLLISION;
    else if ((Open->Options & FILE_DIRECTORY_FILE) && !Directory)
        Status = STATUS_NOT_A_DIRECTORY;
    else if (MustBeDirectory && !Directory)
        Status = STATUS_OBJECT_NAME_INVALID;
    else if ((Open->Options & FILE_NON_DIRECTORY_FILE) && Directory)
        Status = STATUS_FILE_IS_A_DIRECTORY;
    else if (Directory && FsdOverwrites(Open->Disposition))
        Status = STATUS_OBJECT_NAME_COLLISION;
    else if (ReadOnly && !Directory && ((Open->Access & Writes) || FsdOverwrites(Open->Disposition)))
        Status = STATUS_ACCESS_DENIED;
    else if (ReadOnly && (Open->Options & FILE_DELETE_ON_CLOSE))
        Status = STATUS_CANNOT_DELETE;
    if (!NT_SUCCESS(Status)) {
        FsdCloseDoor(FsdRequest.handle);
        return Status;
    }
    PFSD_FCB Fcb = FsdTakeFcb(Open->Path, FALSE);
    ULONG Access = Open->Access | (FsdOverwrites(Open->Disposition) ? FILE_WRITE_DATA : 0);
    if (Fcb->DeletePending)
        Status = STATUS_DELETE_PENDING;
    if (NT_SUCCESS(Status) && Fcb->Oplock) { /* a delivery point: the FCB must stay */
        Fcb->Opens++;
        Open->Oplock = FsRtlCheckOplock(&Fcb->Oplock, Open->Irp, NULL, NULL, NULL);
        Fcb->Opens--;
        Status = Fcb->DeletePending ? STATUS_DELETE_PENDING : Open->Oplock;
    }
    if (NT_SUCCESS(Status) && Fcb->Opens)
        Status = IoCheckShareAccess(Access, Open->Share, Open->File, &Fcb->Share, FALSE);
    if (NT_SUCCESS(Status) && (Access & Writes) && !MmFlushImageSection(&Fcb->Sections, MmFlushForWrite))
        Status = STATUS_SHARING_VIOLATION; /* docs: MmFlushImageSection: an image in use is not written to */
    if (NT_SUCCESS(Status) && (Open->Options & FILE_DELETE_ON_CLOSE) &&
        !MmFlushImageSection(&Fcb->Sections, MmFlushForDelete))
        Status = STATUS_CANNOT_DELETE;
    if (NT_SUCCESS(Status) && !Directory && (Access & Writes))
        Status = FsdMakeWritable(Fcb);
    if (NT_SUCCESS(Status) && FsdOverwrites(Open->Disposition))
        Status = FsdSetSize(Fcb, 0);
    if (NT_SUCCESS(Status) && FsdOverwrites(Open->Disposition))
        FsdSetAttributes(Fcb, Open->Attributes | FILE_ATTRIBUTE_ARCHIVE);
    if (!NT_SUCCESS(Status)) {
        FsdReleaseFcb(Fcb);
        return Status;
    }
    Open->Information = Open->Disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED
                        : FsdOverwrites(Open->Disposition)  ? FILE_OVERWRITTEN
                                                            : FILE_OPENED;
    Open->File->FsContext = Fcb;
    Open->File->SectionObjectPointer = &Fcb->Sections;
    return STATUS_SUCCESS;
}

static NTSTATUS FsdCreateNew(PFSD_OPEN Open, BOOLEAN MustBeDirectory, NTSTATUS WhyNot)
{
    ULONG Flags = DOOR_FILE_CREATE | DOOR_FILE_EXCLUSIVE | DOOR_FILE_WRITABLE;
    if (Open->Disposition == FILE_OPEN || Open->Disposition == FILE_OVERWRITE || WhyNot != STATUS_OBJECT_NAME_NOT_FOUND)
        return FsdBlamePath(Open->Path, WhyNot);
    if (MustBeDirectory && !(Open->Options & FILE_DIRECTORY_FILE))
        return STATUS_OBJECT_NAME_INVALID;
    if ((Open->Options & FILE_DELETE_ON_CLOSE) && (Open->Attributes & FILE_ATTRIBUTE_READONLY))
        return STATUS_CANNOT_DELETE;
    if (Open->Options & FILE_DIRECTORY_FILE)
        Flags |= DOOR_FILE_DIRECTORY;
    NTSTATUS Status = FsdOpenPath(Open->Path, Flags);
    if (!NT_SUCCESS(Status)) /* what was not found is the parent */
        return Status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_OBJECT_PATH_NOT_FOUND : Status;
    PFSD_FCB Fcb = FsdTakeFcb(Open->Path, TRUE);
    Open->File->FsContext = Fcb;
    Open->File->SectionObjectPointer = &Fcb->Sections;
    FsdSetAttributes(Fcb, Open->Attributes | (Fcb->Directory ? 0 : FILE_ATTRIBUTE_ARCHIVE));
    Open->Information = FILE_CREATED;
    return STATUS_SUCCESS;
}

/* docs: IRP_MJ_CREATE: a name of no character is the volume: no directory, and no file that could be made anew. DIFFERS:
 * it has no sectors to read, and can't be locked: it is asked about itself only. */
static NTSTATUS FsdOpenVolume(PFSD_OPEN Open)
{
    if (Open->Options & FILE_DIRECTORY_FILE)
        return STATUS_NOT_A_DIRECTORY;
    if (Open->Disposition != FILE_OPEN && Open->Disposition != FILE_OPEN_IF)
        return STATUS_ACCESS_DENIED;
    if (Open->Options & FILE_DELETE_ON_CLOSE)
        return STATUS_CANNOT_DELETE;
    NTSTATUS Status = FsdOpenPath("", DOOR_FILE_DIRECTORY);
    if (!NT_SUCCESS(Status))
        return Status;
    FsdRequest.stat.id = FSD_VOLUME_ID; /* its own, apart from the root's */
    FsdRequest.stat.directory = FALSE;
    FsdRequest.stat.size = 0;
    PFSD_FCB Fcb = FsdTakeFcb("", FALSE);
    Fcb->Volume = TRUE;
    if (Fcb->Opens)
        Status = IoCheckShareAccess(Open->Access, Open->Share, Open->File, &Fcb->Share, FALSE);
    if (!NT_SUCCESS(Status)) {
        FsdReleaseFcb(Fcb);
        return Status;
    }
    Open->File->FsContext = Fcb;
    Open->Information = FILE_OPENED;
    return STATUS_SUCCESS;
}

/* The volume, or something below what the name says. */
static NTSTATUS FsdOpenNamed(PFSD_OPEN Open)
{
    PFILE_OBJECT File = Open->File, Related = File->RelatedFileObject;
    BOOLEAN MustBeDirectory;
    if (Related && FsdFcbOf(Related)->Volume && File->FileName.Length)
        return STATUS_INVALID_PARAMETER;
    if (!File->FileName.Length && (!Related || FsdFcbOf(Related)->Volume) && !Open->TargetDirectory)
        return FsdOpenVolume(Open);
    NTSTATUS Status = FsdMakePath(Related ? FsdFcbOf(Related) : NULL, File->FileName.Buffer,
                                  File->FileName.Length / sizeof(WCHAR), Open->Path, &MustBeDirectory);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Open->TargetDirectory)
        return FsdOpenTarget(Open);
    if (NT_SUCCESS(Status = FsdOpenPath(Open->Path, 0)))
        return FsdOpenExisting(Open, MustBeDirectory);
    return FsdCreateNew(Open, MustBeDirectory, Status);
}

static NTSTATUS FsdCreateBody(PFSD_OPEN Open)
{
    PFILE_OBJECT File = Open->File;
    if (Open->Irp->AssociatedIrp.SystemBuffer && Open->Stack->Parameters.Create.EaLength)
        return STATUS_EAS_NOT_SUPPORTED;
    NTSTATUS Status = FsdOpenNamed(Open);
    if (!NT_SUCCESS(Status))
        return Status;
    PFSD_FCB Fcb = FsdFcbOf(File);
    PFSD_CCB Ccb = ExpAllocate(sizeof(*Ccb), FSD_TAG);
    RtlZeroMemory(Ccb, sizeof(*Ccb));
    Ccb->DeleteOnClose = (Open->Options & FILE_DELETE_ON_CLOSE) != 0;
    Ccb->SharesTaken = TRUE;
    File->FsContext2 = Ccb;
    Fcb->Handles++;
    if (Fcb->Opens++)
        IoUpdateShareAccess(File, &Fcb->Share);
    else
        IoSetShareAccess(Open->Access, Open->Share, File, &Fcb->Share);
    if (Open->Information == FILE_CREATED)
        FsdReport(Fcb->Path, Fcb->Directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME,
                  FILE_ACTION_ADDED);
    else if (Open->Information == FILE_OVERWRITTEN || Open->Information == FILE_SUPERSEDED)
        FsdReport(Fcb->Path, FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE, FILE_ACTION_MODIFIED);
    return Open->Oplock;
}

NTSTATUS NTAPI FsdCreate(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFSD_OPEN Open = ExpAllocate(sizeof(*Open), FSD_TAG);
    RtlZeroMemory(Open, sizeof(*Open));
    if (!Stack->Parameters.Create.SecurityContext || Device == FsdControlDevice) { /* the control device itself */
        ExpFree(Open);
        return FsdFinish(Irp, STATUS_SUCCESS, FILE_OPENED);
    }
    Open->File = Stack->FileObject;
    Open->Irp = Irp;
    Open->Stack = Stack;
    Open->TargetDirectory = (Stack->Flags & SL_OPEN_TARGET_DIRECTORY) != 0;
    Open->Access = Stack->Parameters.Create.SecurityContext->DesiredAccess;
    Open->Disposition = Stack->Parameters.Create.Options >> 24;
    Open->Options = Stack->Parameters.Create.Options & 0xffffff;
    Open->Attributes = Stack->Parameters.Create.FileAttributes;
    Open->Share = Stack->Parameters.Create.ShareAccess;
    NTSTATUS Status = FsdCreateBody(Open);
    ULONG_PTR Information = Open->Information;
    if (Status == STATUS_OBJECT_NAME_COLLISION)
        Information = FILE_EXISTS;
    else if (Status == STATUS_OBJECT_NAME_NOT_FOUND)
        Information = FILE_DOES_NOT_EXIST;
    ExpFree(Open);
    return FsdFinish(Irp, Status, Information);
}

/* ---- Cleanup, close ---------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI FsdCleanup(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PFSD_FCB Fcb = FsdFcbOf(File);
    PFSD_CCB Ccb = FsdCcbOf(File);
    if (Ccb && Ccb->SharesTaken) {
        if (Fcb->Directory)
            FsRtlNotifyCleanup(FsdNotifySync, &FsdNotifyList, Ccb);
        FsRtlFastUnlockAll(&Fcb->Lock, File, IopRequestorProcess(Irp), NULL);
        FsRtlCheckOplock(&Fcb->Oplock, Irp, NULL, NULL, NULL);
        IoRemoveShareAccess(File, &Fcb->Share);
        Ccb->SharesTaken = FALSE;
        if (Ccb->DeleteOnClose)
            Fcb->DeletePending = TRUE;
        if (--Fcb->Handles == 0 && Fcb->DeletePending && NT_SUCCESS(FsdAskFcb(Fcb, DOOR_FILE_REMOVE))) {
            if (Fcb->Directory) /* docs: who watches it learns that it goes */
                FsRtlNotifyFullChangeDirectory(FsdNotifySync, &FsdNotifyList, Ccb, NULL, FALSE, FALSE, 0, NULL, NULL,
                                               NULL);
            FsdReport(Fcb->Path, Fcb->Directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME,
                      FILE_ACTION_REMOVED);
        }
    }
    return FsdFinish(Irp, STATUS_SUCCESS, 0);
}

NTSTATUS NTAPI FsdClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PFSD_CCB Ccb = FsdCcbOf(File);
    if (Ccb) {
        if (Ccb->Pattern.Buffer)
            ExpFree(Ccb->Pattern.Buffer);
        if (Ccb->Watched.Buffer)
            ExpFree(Ccb->Watched.Buffer);
        ExpFree(Ccb);
        File->FsContext2 = NULL;
        FsdFcbOf(File)->Opens--;
        FsdReleaseFcb(FsdFcbOf(File));
    }
    return FsdFinish(Irp, STATUS_SUCCESS, 0);
}

/* ---- Read, write, flush ------------------------------------------------------------------------------------------ */

NTSTATUS FsdSetSize(PFSD_FCB Fcb, UINT64 Bytes)
{
    LARGE_INTEGER Size = {.QuadPart = (LONGLONG)Bytes};
    NTSTATUS Status = FsdMakeWritable(Fcb);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Size.QuadPart < Fcb->Header.FileSize.QuadPart && !MmCanFileBeTruncated(&Fcb->Sections, &Size))
        return STATUS_USER_MAPPED_FILE;
    FsdRequest.offset = Bytes;
    Status = FsdAskFcb(Fcb, DOOR_FILE_SET_SIZE);
    if (NT_SUCCESS(Status))
        Fcb->Header.FileSize.QuadPart = (LONGLONG)Bytes;
    return Status;
}

/* Through a buffer in pieces: the host may not touch pageable or closed memory, and a touch of it by us may wait.
 * *Done: bytes moved, also on failure. */
static NTSTATUS FsdMove(PFSD_FCB Fcb, ULONG Op, ULONG Flags, UINT64 Offset, PUCHAR Memory, ULONG Bytes, PULONG Done)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PVOID Buffer = ExpTryAllocate(Bytes < FSD_BUFFER ? Bytes : FSD_BUFFER, FSD_TAG);
    *Done = 0;
    if (!Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    while (*Done < Bytes && NT_SUCCESS(Status)) {
        ULONG Piece = Bytes - *Done < FSD_BUFFER ? Bytes - *Done : FSD_BUFFER;
        if (Op == DOOR_FILE_WRITE)
            RtlCopyMemory(Buffer, Memory + *Done, Piece);
        FsdRequest.flags = Flags;
        FsdRequest.offset = Offset + *Done;
        FsdRequest.bytes = Piece;
        FsdRequest.buffer = Buffer;
        Status = FsdAskFcb(Fcb, Op);
        if (FsdRequest.bytes > Piece || (NT_SUCCESS(Status) && !FsdRequest.bytes))
            break;
        Piece = (ULONG)FsdRequest.bytes;
        if (Op == DOOR_FILE_READ)
            RtlCopyMemory(Memory + *Done, Buffer, Piece);
        *Done += Piece;
    }
    ExpFree(Buffer);
    return Status;
}

static PVOID FsdMemoryOf(PIRP Irp)
{
    return Irp->MdlAddress ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : Irp->UserBuffer;
}

static VOID FsdAdvance(PFILE_OBJECT File, UINT64 Offset)
{
    if (File->Flags & FO_SYNCHRONOUS_IO)
        File->CurrentByteOffset.QuadPart = (LONGLONG)Offset;
}

/* Locks of others, and owners of oplocks. The memory manager's transfers pass. */
static NTSTATUS FsdMayTransfer(PFSD_FCB Fcb, PIRP Irp, BOOLEAN Write)
{
    if (Irp->Flags & IRP_PAGING_IO)
        return STATUS_SUCCESS;
    if (!(Write ? FsRtlCheckLockForWriteAccess(&Fcb->Lock, Irp) : FsRtlCheckLockForReadAccess(&Fcb->Lock, Irp)))
        return STATUS_FILE_LOCK_CONFLICT;
    return Fcb->Oplock ? FsRtlCheckOplock(&Fcb->Oplock, Irp, NULL, NULL, NULL) : STATUS_SUCCESS;
}

/* What was written through a view of the file is the file's, for reads and writes as well. */
static VOID FsdFlushSection(PFSD_FCB Fcb, PIRP Irp, LONGLONG Offset, ULONG Bytes)
{
    LARGE_INTEGER Start = {.QuadPart = Offset};
    if (Fcb->Sections.DataSectionObject && !(Irp->Flags & IRP_PAGING_IO))
        CcFlushCache(&Fcb->Sections, &Start, Bytes, NULL);
}

NTSTATUS NTAPI FsdRead(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFSD_FCB Fcb = FsdFcbOf(Stack->FileObject);
    UINT64 Offset = (UINT64)Stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG Bytes = Stack->Parameters.Read.Length, Done;
    if (!FsdIsFile(Fcb))
        return FsdFinish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    if (!Bytes)
        return FsdFinish(Irp, STATUS_SUCCESS, 0);
    NTSTATUS Status = FsdMayTransfer(Fcb, Irp, FALSE);
    if (Status != STATUS_SUCCESS)
        return FsdFinish(Irp, Status, 0);
    FsdFlushSection(Fcb, Irp, (LONGLONG)Offset, Bytes);
    Status = FsdMove(Fcb, DOOR_FILE_READ, 0, Offset, FsdMemoryOf(Irp), Bytes, &Done);
    if (Done)
        Status = STATUS_SUCCESS; /* less than asked for is no failure */
    else if (NT_SUCCESS(Status))
        Status = STATUS_END_OF_FILE;
    if (NT_SUCCESS(Status))
        FsdAdvance(Stack->FileObject, Offset + Done);
    return FsdFinish(Irp, Status, Done);
}

/* docs: ZwWriteFile: -1/FILE_WRITE_TO_END_OF_FILE appends. */
NTSTATUS NTAPI FsdWrite(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFSD_FCB Fcb = FsdFcbOf(Stack->FileObject);
    LARGE_INTEGER Offset = Stack->Parameters.Write.ByteOffset;
    ULONG Bytes = Stack->Parameters.Write.Length, Done;
    struct door_stat Stat;
    if (!FsdIsFile(Fcb))
        return FsdFinish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    NTSTATUS Status = FsdMakeWritable(Fcb);
    if (NT_SUCCESS(Status) && Offset.HighPart == -1 && Offset.LowPart == FILE_WRITE_TO_END_OF_FILE) {
        Status = FsdStat(Fcb, &Stat);
        Offset.QuadPart = (LONGLONG)Stat.size;
    }
    if (Irp->Flags & IRP_PAGING_IO) { /* docs: whole pages, which never make a file longer */
        LONGLONG Left = Fcb->Header.FileSize.QuadPart - Offset.QuadPart;
        Bytes = Left <= 0 ? 0 : Left < Bytes ? (ULONG)Left : Bytes;
    }
    if (!NT_SUCCESS(Status) || !Bytes)
        return FsdFinish(Irp, Status, 0);
    Stack->Parameters.Write.ByteOffset = Offset;
    Status = FsdMayTransfer(Fcb, Irp, TRUE);
    if (Status != STATUS_SUCCESS)
        return FsdFinish(Irp, Status, 0);
    FsdFlushSection(Fcb, Irp, Offset.QuadPart, Bytes);
    PFSD_CCB Ccb = FsdCcbOf(Stack->FileObject);
    Status = FsdMove(Fcb, DOOR_FILE_WRITE, Ccb && Ccb->KeepsTimes ? DOOR_FILE_KEEP_TIMES : 0, (UINT64)Offset.QuadPart,
                     FsdMemoryOf(Irp), Bytes, &Done);
    if (Done && !(Irp->Flags & IRP_PAGING_IO))
        MiRefreshData(Fcb->Sections.DataSectionObject, (UINT64)Offset.QuadPart, (UINT64)Offset.QuadPart + Done);
    if (Done) {
        BOOLEAN Grows = Offset.QuadPart + Done > Fcb->Header.FileSize.QuadPart;
        if (Offset.QuadPart + Done > Fcb->Header.FileSize.QuadPart)
            Fcb->Header.FileSize.QuadPart = Offset.QuadPart + Done;
        FsdAdvance(Stack->FileObject, (UINT64)Offset.QuadPart + Done);
        Stack->FileObject->Flags |= FO_FILE_MODIFIED;
        FsdReport(Fcb->Path, FILE_NOTIFY_CHANGE_LAST_WRITE | (Grows ? FILE_NOTIFY_CHANGE_SIZE : 0),
                  FILE_ACTION_MODIFIED);
    }
    return FsdFinish(Irp, Status, NT_SUCCESS(Status) ? Done : 0);
}

NTSTATUS NTAPI FsdFlush(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFSD_FCB Fcb = FsdFcbOf(IoGetCurrentIrpStackLocation(Irp)->FileObject);
    return FsdFinish(Irp, Fcb ? FsdAskFcb(Fcb, DOOR_FILE_FLUSH) : STATUS_SUCCESS, 0);
}
