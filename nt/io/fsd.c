/*
 * The file system of the volume C:, whose files are the host's: a driver like any other, with a device named
 * \Device\HarddiskVolume1 and dispatch routines that carry each IRP through the door.
 *
 * A file is known by the id its host side gives it; all openings share one FSD_FCB with the share access. Deletion
 * happens when the last file object is cleaned up. (docs: ZwCreateFile, IoCheckShareAccess)
 * As on Windows there are three devices: the disk, \Device\HarddiskVolume1, whose VPB is mounted from the beginning;
 * the file system's control device, \HostFiles, which is registered; and the volume's own without a name, to which
 * filters attach. (fsdctl.c has the controls, locks and the start.) DIFFERS: no cache, so nothing is lazily written; no
 * streams, extended attributes; a path is at most 1023 bytes of UTF-8; attributes other than directory and
 * read-only are kept for the run only.
 */
#include "nt.h"
#include "io/fsd.h"

#define FSD_BUFFER 0x10000

struct door_file FsdRequest;
#define FSD_FIRST_BUCKETS 1024
static LIST_ENTRY FsdFirstFcbs[FSD_FIRST_BUCKETS];
static PLIST_ENTRY FsdFcbs = FsdFirstFcbs; /* by id; each list is made when first used */
static ULONG FsdBuckets = FSD_FIRST_BUCKETS, FsdFcbCount;

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

NTSTATUS FsdOpenPath(PCSTR Path, ULONG Flags)
{
    RtlpFormat(FsdRequest.path, sizeof(FsdRequest.path), "%s", Path);
    FsdRequest.flags = Flags;
    return FsdAsk(DOOR_FILE_OPEN);
}

VOID FsdCloseDoor(UINT64 Handle)
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

/* ---- Files that are open ------------------------------------------------------------------------------------------- */

static PLIST_ENTRY FsdBucket(UINT64 Id)
{
    PLIST_ENTRY List = &FsdFcbs[Id % FsdBuckets];
    if (!List->Flink)
        InitializeListHead(List);
    return List;
}

PFSD_FCB FsdFindFcb(UINT64 Id)
{
    PLIST_ENTRY List = FsdBucket(Id);
    for (PLIST_ENTRY Entry = List->Flink; Entry != List; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, FSD_FCB, Entry)->Id == Id)
            return CONTAINING_RECORD(Entry, FSD_FCB, Entry);
    return NULL;
}

/* One more; without memory for a larger table the lists become longer. */
static VOID FsdInsertFcb(PFSD_FCB Fcb)
{
    PLIST_ENTRY Old = FsdFcbs, New;
    ULONG OldBuckets = FsdBuckets;
    if (++FsdFcbCount > FsdBuckets && (New = ExpTryAllocate(4 * OldBuckets * sizeof(*New), FSD_TAG))) {
        RtlZeroMemory(New, 4 * OldBuckets * sizeof(*New));
        FsdFcbs = New;
        FsdBuckets = 4 * OldBuckets;
        for (ULONG i = 0; i < OldBuckets; i++)
            while (Old[i].Flink && !IsListEmpty(&Old[i])) {
                PFSD_FCB Moved = CONTAINING_RECORD(RemoveHeadList(&Old[i]), FSD_FCB, Entry);
                InsertTailList(FsdBucket(Moved->Id), &Moved->Entry);
            }
        if (Old != FsdFirstFcbs)
            ExpFree(Old);
    }
    InsertTailList(FsdBucket(Fcb->Id), &Fcb->Entry);
}

VOID FsdKeepPath(PFSD_FCB Fcb, PCSTR Path)
{
    SIZE_T Bytes = strlen(Path) + 1;
    if (Fcb->Path)
        ExpFree(Fcb->Path);
    Fcb->Path = ExpAllocate(Bytes, FSD_TAG);
    RtlCopyMemory(Fcb->Path, Path, Bytes);
}

/* The FCB of what FsdRequest has just opened; a second handle of the host for the same file is given back. */
PFSD_FCB FsdTakeFcb(PCSTR Path, BOOLEAN Writable)
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
    FsdKeepPath(Fcb, Path);
    FsdInsertFcb(Fcb);
    return Fcb;
}

VOID FsdReleaseFcb(PFSD_FCB Fcb)
{
    if (Fcb->Opens)
        return;
    FsdCloseDoor(Fcb->Door);
    RemoveEntryList(&Fcb->Entry);
    FsdFcbCount--;
    FsRtlUninitializeOplock(&Fcb->Oplock);
    FsRtlUninitializeFileLock(&Fcb->Lock);
    FsRtlTeardownPerStreamContexts(&Fcb->Header);
    VfRangeGoes((UINT64)Fcb, sizeof(*Fcb), "freed");
    ExpFree(Fcb->Path);
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
    if (FsdRequest.stat.id != Fcb->Id) { /* another took its name meanwhile */
        FsdCloseDoor(Door);
        return STATUS_ACCESS_DENIED;
    }
    FsdCloseDoor(Fcb->Door);
    Fcb->Door = Door;
    Fcb->Writable = TRUE;
    return STATUS_SUCCESS;
}

/* ---- Cleanup, close ---------------------------------------------------------------------------------------------- */

static VOID FsdRemove(PFSD_FCB Fcb, PFSD_CCB Ccb)
{
    FsdRequest.flags = Fcb->RemoveReadOnly ? DOOR_FILE_READ_ONLY_TOO : 0;
    if (!NT_SUCCESS(FsdAskFcb(Fcb, DOOR_FILE_REMOVE))) {
        Fcb->DeletePending = FALSE; /* the host kept it: it is there, for whoever asks */
        return;
    }
    Fcb->Removed = TRUE;
    if (Fcb->Directory) /* docs: who watches it learns that it goes */
        FsRtlNotifyFullChangeDirectory(FsdNotifySync, &FsdNotifyList, Ccb, NULL, FALSE, FALSE, 0, NULL, NULL, NULL);
    FsdReport(Fcb->Path, Fcb->Directory ? FILE_NOTIFY_CHANGE_DIR_NAME : FILE_NOTIFY_CHANGE_FILE_NAME,
              FILE_ACTION_REMOVED);
}

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
        Fcb->Handles--;
        if (Fcb->DeletePending && !Fcb->Removed && (!Fcb->Handles || Ccb->PosixDelete))
            FsdRemove(Fcb, Ccb);
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
    if (Stack->MinorFunction & (IRP_MN_MDL | IRP_MN_COMPLETE)) /* there is no cache whose pages could be given */
        return FsdFinish(Irp, STATUS_NOT_SUPPORTED, 0);
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
    if (Stack->MinorFunction & (IRP_MN_MDL | IRP_MN_COMPLETE))
        return FsdFinish(Irp, STATUS_NOT_SUPPORTED, 0);
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
