/*
 * Enumerating a directory of the volume (docs: ZwQueryDirectoryFile).
 *
 * The first call on a handle fixes the pattern; each call gives as many entries as fit, in name order, "." and ".."
 * first except in the root. An empty first scan is STATUS_NO_SUCH_FILE, a later one STATUS_NO_MORE_FILES.
 */
#include "nt.h"
#include "io/fsd.h"

/* Where the fields lie in each class. Short names (8.3) do not exist here and are left empty. */
typedef struct _FSD_LAYOUT {
    ULONG Class;
    USHORT Name, Length, Id; /* offsets; Id 0 = none */
    BOOLEAN NamesOnly;
} FSD_LAYOUT;

static const FSD_LAYOUT FsdLayouts[] = {
    {FileDirectoryInformation, FIELD_OFFSET(FILE_DIRECTORY_INFORMATION, FileName),
     FIELD_OFFSET(FILE_DIRECTORY_INFORMATION, FileNameLength), 0, FALSE},
    {FileFullDirectoryInformation, FIELD_OFFSET(FILE_FULL_DIR_INFORMATION, FileName),
     FIELD_OFFSET(FILE_FULL_DIR_INFORMATION, FileNameLength), 0, FALSE},
    {FileIdFullDirectoryInformation, FIELD_OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileName),
     FIELD_OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileNameLength), FIELD_OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileId),
     FALSE},
    {FileBothDirectoryInformation, FIELD_OFFSET(FILE_BOTH_DIR_INFORMATION, FileName),
     FIELD_OFFSET(FILE_BOTH_DIR_INFORMATION, FileNameLength), 0, FALSE},
    {FileIdBothDirectoryInformation, FIELD_OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileName),
     FIELD_OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileNameLength), FIELD_OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileId),
     FALSE},
    {FileIdExtdDirectoryInformation, FIELD_OFFSET(FILE_ID_EXTD_DIR_INFORMATION, FileName),
     FIELD_OFFSET(FILE_ID_EXTD_DIR_INFORMATION, FileNameLength), FIELD_OFFSET(FILE_ID_EXTD_DIR_INFORMATION, FileId),
     FALSE},
    {FileNamesInformation, FIELD_OFFSET(FILE_NAMES_INFORMATION, FileName),
     FIELD_OFFSET(FILE_NAMES_INFORMATION, FileNameLength), 0, TRUE},
};

#define FSD_BATCH 0x10000

typedef struct _FSD_SCAN {
    PFSD_FCB Fcb;
    PFSD_CCB Ccb;
    const FSD_LAYOUT *Layout;
    PUCHAR Buffer;
    ULONG Room, Used, Last; /* Last: offset of the previous entry, or -1 */
    UNICODE_STRING Name;
    WCHAR Text[256];
    struct door_stat Stat;
    BOOLEAN Single, Exact;     /* Exact: the pattern is a name, nothing else can match */
    ULONG BatchBytes, BatchAt; /* entries of the host's, and the next of them */
    UINT64 Batch[FSD_BATCH / 8];
} FSD_SCAN, *PFSD_SCAN;

/* ---- Patterns ---------------------------------------------------------------------------------------------------- */

static BOOLEAN FsdWanted(PFSD_SCAN Scan)
{
    PUNICODE_STRING Pattern = &Scan->Ccb->Pattern;
    return !Pattern->Length || FsRtlIsNameInUnUpcasedExpression(Pattern, &Scan->Name, TRUE, NULL);
}

/* ---- Entries ----------------------------------------------------------------------------------------------------- */

/* The host's entries from behind the last one that was given out. As many as the caller is likely to take, and not kept
 * from call to call: what is removed or renamed meanwhile shows. */
static NTSTATUS FsdFetch(PFSD_SCAN Scan)
{
    BOOLEAN First = !Scan->BatchBytes;
    RtlpFormat(FsdRequest.path, sizeof(FsdRequest.path), "%s", Scan->Ccb->ScanName);
    FsdRequest.flags = 0;
    if (Scan->Exact) {
        if (*Scan->Ccb->ScanName)
            return STATUS_END_OF_FILE;
        RtlpToUtf8(FsdRequest.path, sizeof(FsdRequest.path), Scan->Ccb->Pattern.Buffer,
                   Scan->Ccb->Pattern.Length / sizeof(WCHAR));
        FsdRequest.flags = DOOR_FILE_ONLY;
    }
    FsdRequest.buffer = Scan->Batch;
    FsdRequest.bytes = !First ? FSD_BATCH : Scan->Single ? 1024 : Scan->Room < FSD_BATCH ? Scan->Room : FSD_BATCH;
    if (FsdRequest.bytes < 1024)
        FsdRequest.bytes = 1024;
    NTSTATUS Status = FsdAskFcb(Scan->Fcb, DOOR_FILE_LIST);
    Scan->BatchAt = 0;
    Scan->BatchBytes = NT_SUCCESS(Status) ? (ULONG)FsdRequest.bytes : 0;
    return Status;
}

/* The next entry; it is passed by FsdPass. "." and ".." come before the host's. */
static NTSTATUS FsdNextEntry(PFSD_SCAN Scan)
{
    ULONG Dots = *Scan->Fcb->Path ? 2 : 0;
    Scan->Name.Buffer = Scan->Text;
    if (Scan->Ccb->ScanIndex < Dots) {
        Scan->Text[0] = Scan->Text[1] = L'.';
        Scan->Name.Length = (USHORT)((Scan->Ccb->ScanIndex + 1) * sizeof(WCHAR));
        return FsdStat(Scan->Fcb, &Scan->Stat);
    }
    NTSTATUS Status = Scan->BatchAt < Scan->BatchBytes ? STATUS_SUCCESS : FsdFetch(Scan);
    if (!NT_SUCCESS(Status))
        return Status;
    struct door_entry *Entry = (PVOID)((PUCHAR)Scan->Batch + Scan->BatchAt);
    Scan->Stat = Entry->stat;
    Scan->Name.Length = (USHORT)(RtlpFromUtf8(Scan->Text, RTL_NUMBER_OF(Scan->Text), Entry->name) * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

static VOID FsdPass(PFSD_SCAN Scan)
{
    ULONG Dots = *Scan->Fcb->Path ? 2 : 0;
    if (Scan->Ccb->ScanIndex++ < Dots)
        return;
    struct door_entry *Entry = (PVOID)((PUCHAR)Scan->Batch + Scan->BatchAt);
    RtlpFormat(Scan->Ccb->ScanName, sizeof(Scan->Ccb->ScanName), "%s", Entry->name);
    Scan->BatchAt += Entry->bytes;
}

static VOID FsdWriteEntry(PFSD_SCAN Scan, PUCHAR Entry, ULONG Index, ULONG NameBytes)
{
    PFILE_DIRECTORY_INFORMATION Common = (PFILE_DIRECTORY_INFORMATION)Entry;
    RtlZeroMemory(Entry, Scan->Layout->Name);
    Common->FileIndex = Index;
    if (!Scan->Layout->NamesOnly) {
        Common->CreationTime.QuadPart = (LONGLONG)Scan->Stat.created;
        Common->LastAccessTime.QuadPart = (LONGLONG)Scan->Stat.accessed;
        Common->LastWriteTime.QuadPart = (LONGLONG)Scan->Stat.written;
        Common->ChangeTime.QuadPart = (LONGLONG)Scan->Stat.changed;
        Common->EndOfFile.QuadPart = (LONGLONG)Scan->Stat.size;
        Common->AllocationSize.QuadPart = (LONGLONG)Scan->Stat.allocated;
        Common->FileAttributes = FsdAttributes(&Scan->Stat);
    }
    *(ULONG *)(Entry + Scan->Layout->Length) = Scan->Name.Length;
    if (Scan->Layout->Id)
        RtlCopyMemory(Entry + Scan->Layout->Id, &Scan->Stat.id, sizeof(Scan->Stat.id));
    RtlCopyMemory(Entry + Scan->Layout->Name, Scan->Name.Buffer, NameBytes);
}

/* docs: a first entry that does not fit is cut: STATUS_BUFFER_OVERFLOW. */
static NTSTATUS FsdAddEntry(PFSD_SCAN Scan, ULONG Index)
{
    ULONG Start = (Scan->Used + 7) & ~7u, Need = Scan->Layout->Name + Scan->Name.Length, Bytes = Scan->Name.Length;
    NTSTATUS Status = STATUS_SUCCESS;
    if (Start + Need > Scan->Room) {
        if (Scan->Used)
            return STATUS_NO_MORE_ENTRIES;
        Bytes = Scan->Room - Scan->Layout->Name;
        Status = STATUS_BUFFER_OVERFLOW;
    }
    FsdWriteEntry(Scan, Scan->Buffer + Start, Index, Bytes);
    if (Scan->Used)
        *(ULONG *)(Scan->Buffer + Scan->Last) = Start - Scan->Last;
    Scan->Last = Start;
    Scan->Used = Start + Scan->Layout->Name + Bytes;
    return Status;
}

static NTSTATUS FsdScan(PFSD_SCAN Scan, BOOLEAN First)
{
    for (;;) {
        NTSTATUS Status = FsdNextEntry(Scan);
        if (Status == STATUS_END_OF_FILE) {
            if (Scan->Used)
                return STATUS_SUCCESS;
            return First ? STATUS_NO_SUCH_FILE : STATUS_NO_MORE_FILES;
        }
        if (!NT_SUCCESS(Status))
            return Status;
        Status = FsdWanted(Scan) ? FsdAddEntry(Scan, Scan->Ccb->ScanIndex) : STATUS_NO_SUCH_FILE;
        if (Status == STATUS_NO_MORE_ENTRIES)
            return STATUS_SUCCESS;
        FsdPass(Scan);
        if (Status == STATUS_BUFFER_OVERFLOW || (Scan->Single && Status == STATUS_SUCCESS))
            return Status;
    }
}

static BOOLEAN FsdBeginScan(PFSD_SCAN Scan, PIO_STACK_LOCATION Stack)
{
    PFSD_CCB Ccb = Scan->Ccb;
    PUNICODE_STRING Pattern = (PUNICODE_STRING)Stack->Parameters.QueryDirectory.FileName;
    BOOLEAN First = !Ccb->ScanStarted;
    if (First || (Stack->Flags & SL_RESTART_SCAN))
        Ccb->ScanIndex = Ccb->ScanName[0] = 0;
    if (First && Pattern && Pattern->Length && !(Pattern->Length == sizeof(WCHAR) && *Pattern->Buffer == L'*')) {
        Ccb->Pattern.Buffer = ExpAllocate(Pattern->Length, FSD_TAG);
        Ccb->Pattern.Length = Ccb->Pattern.MaximumLength = Pattern->Length;
        RtlCopyMemory(Ccb->Pattern.Buffer, Pattern->Buffer, Pattern->Length);
    }
    Ccb->ScanStarted = TRUE;
    Scan->Single = (Stack->Flags & SL_RETURN_SINGLE_ENTRY) != 0;
    Scan->Exact = Ccb->Pattern.Length && !FsRtlDoesNameContainWildCards(&Ccb->Pattern);
    return First;
}

/* docs: ZwQueryDirectoryFileEx: SL_NO_CURSOR_UPDATE: the next call begins where this one did. */
static NTSTATUS FsdScanFrom(PFSD_SCAN Scan, PIO_STACK_LOCATION Stack)
{
    BOOLEAN First = FsdBeginScan(Scan, Stack);
    ULONG Index = Scan->Ccb->ScanIndex;
    CHAR Name[sizeof(Scan->Ccb->ScanName)];
    RtlCopyMemory(Name, Scan->Ccb->ScanName, sizeof(Name));
    NTSTATUS Status = FsdScan(Scan, First);
    if (Stack->Flags & SL_NO_CURSOR_UPDATE_QUERY) {
        Scan->Ccb->ScanIndex = Index;
        RtlCopyMemory(Scan->Ccb->ScanName, Name, sizeof(Name));
    }
    return Status;
}

/* docs: IRP_MN_NOTIFY_CHANGE_DIRECTORY: FsRtl keeps the request. */
static NTSTATUS FsdWatch(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFSD_CCB Ccb = FsdCcbOf(Stack->FileObject);
    if (FsdFcbOf(Stack->FileObject)->DeletePending)
        return FsdFinish(Irp, STATUS_DELETE_PENDING, 0);
    if (!Ccb->Watched.Buffer && !FsdWiden(FsdFcbOf(Stack->FileObject)->Path, &Ccb->Watched))
        return FsdFinish(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    FsRtlNotifyFullChangeDirectory(FsdNotifySync, &FsdNotifyList, Ccb, (PSTRING)&Ccb->Watched,
                                   (Stack->Flags & SL_WATCH_TREE) != 0, FALSE,
                                   Stack->Parameters.NotifyDirectory.CompletionFilter, Irp, NULL, NULL);
    return STATUS_PENDING;
}

NTSTATUS NTAPI FsdDirectory(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    FSD_SCAN *Scan;
    if (!FsdFcbOf(Stack->FileObject) || !FsdFcbOf(Stack->FileObject)->Directory)
        return FsdFinish(Irp, STATUS_INVALID_PARAMETER, 0);
    if (Stack->MinorFunction == IRP_MN_NOTIFY_CHANGE_DIRECTORY)
        return FsdWatch(Irp, Stack);
    if (Stack->MinorFunction != IRP_MN_QUERY_DIRECTORY)
        return FsdFinish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    Scan = ExpAllocate(sizeof(*Scan), FSD_TAG);
    RtlZeroMemory(Scan, FIELD_OFFSET(FSD_SCAN, Batch));
    Scan->Fcb = FsdFcbOf(Stack->FileObject);
    Scan->Ccb = FsdCcbOf(Stack->FileObject);
    Scan->Buffer = Irp->UserBuffer;
    Scan->Room = Stack->Parameters.QueryDirectory.Length;
    for (ULONG i = 0; i < RTL_NUMBER_OF(FsdLayouts); i++)
        if (FsdLayouts[i].Class == (ULONG)Stack->Parameters.QueryDirectory.FileInformationClass)
            Scan->Layout = &FsdLayouts[i];
    NTSTATUS Status = STATUS_SUCCESS;
    if (!Scan->Layout)
        Status = STATUS_INVALID_INFO_CLASS;
    else if (Scan->Room < Scan->Layout->Name + sizeof(WCHAR))
        Status = STATUS_INFO_LENGTH_MISMATCH;
    else
        Status = FsdScanFrom(Scan, Stack);
    ULONG Used = Scan->Used;
    ExpFree(Scan);
    return FsdFinish(Irp, Status, Used);
}
