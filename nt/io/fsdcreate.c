/*
 * The file system of C:, continued: IRP_MJ_CREATE (docs: ZwCreateFile). What is there is opened first and then judged; nothing of it
 * stays when a later step says no.
 */
#include "nt.h"
#include "io/fsd.h"

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

static BOOLEAN FsdOverwrites(ULONG Disposition)
{
    return Disposition == FILE_SUPERSEDE || Disposition == FILE_OVERWRITE || Disposition == FILE_OVERWRITE_IF;
}

/* What a create asks for and the file keeps. docs: FileAttributes of ZwCreateFile. */
static VOID FsdAskForAttributes(ULONG Attributes)
{
    RtlZeroMemory(&FsdRequest.stat, sizeof(FsdRequest.stat));
    FsdRequest.stat.attributes =
        Attributes & FSD_KEPT_ATTRIBUTES ? Attributes & FSD_KEPT_ATTRIBUTES : FILE_ATTRIBUTE_NORMAL;
    FsdRequest.stat.read_only = (Attributes & FILE_ATTRIBUTE_READONLY) != 0;
}

static VOID FsdSetAttributes(PFSD_FCB Fcb, ULONG Attributes)
{
    FsdAskForAttributes(Attributes);
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
    PFSD_FCB There = FsdFindFcb(FsdRequest.stat.id);
    if (There && There->DeletePending)
        Status = STATUS_DELETE_PENDING;
    else if (Open->Disposition == FILE_CREATE)
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
    if (Fcb->Oplock) { /* a delivery point: the FCB must stay */
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
    FsdAskForAttributes(Open->Attributes | (Flags & DOOR_FILE_DIRECTORY ? 0 : FILE_ATTRIBUTE_ARCHIVE));
    NTSTATUS Status = FsdOpenPath(Open->Path, Flags);
    if (Status == STATUS_OBJECT_NAME_NOT_FOUND) /* what was not found is the parent */
        return STATUS_OBJECT_PATH_NOT_FOUND;
    if (!NT_SUCCESS(Status))
        return FsdBlamePath(Open->Path, Status);
    PFSD_FCB Fcb = FsdTakeFcb(Open->Path, TRUE);
    Open->File->FsContext = Fcb;
    Open->File->SectionObjectPointer = &Fcb->Sections;
    Fcb->ReadOnly = (Open->Attributes & FILE_ATTRIBUTE_READONLY) != 0;
    Open->Information = FILE_CREATED;
    return STATUS_SUCCESS;
}

static NTSTATUS FsdOpenOrCreate(PFSD_OPEN Open, BOOLEAN MustBeDirectory)
{
    NTSTATUS Status = STATUS_OBJECT_NAME_COLLISION;
    if (Open->Disposition == FILE_CREATE && !MustBeDirectory) /* most often there is nothing: not asked for first */
        Status = FsdCreateNew(Open, MustBeDirectory, STATUS_OBJECT_NAME_NOT_FOUND);
    if (Status != STATUS_OBJECT_NAME_COLLISION)
        return Status;
    Status = FsdOpenPath(Open->Path, 0);
    return NT_SUCCESS(Status) ? FsdOpenExisting(Open, MustBeDirectory) : FsdCreateNew(Open, MustBeDirectory, Status);
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
    return FsdOpenOrCreate(Open, MustBeDirectory);
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
    Ccb->DeleteOnClose = Ccb->MayDeleteOnClose = (Open->Options & FILE_DELETE_ON_CLOSE) != 0;
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
