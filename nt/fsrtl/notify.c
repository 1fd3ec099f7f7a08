/*
 * Directory change notification (docs: FsRtlNotifyFilterChangeDirectory, FsRtlNotifyFilterReportChange).
 *
 * A file system keeps one list of watches for a volume. A watch belongs to one open directory (FsContext), collects
 * what happens between two requests, and answers the requests in order. The text of names is bytes or wide characters;
 * the directory's own name says which (a wide one has a zero in its second byte).
 *
 * When what has happened does not fit the request's buffer, or the watch has none, the answer is
 * STATUS_NOTIFY_ENUM_DIR: look for yourself.
 */
#include "nt.h"

#define FSRTLP_NOTIFY_TAG 'nfNF'

/* Kernel code is atomic between delivery points, so watches need no lock; but answering is a delivery point, and
 * whoever walks the list looks afterwards whether a watch has gone meanwhile. */
typedef struct _FSRTLP_SYNC {
    ULONG Dropped, Reports;
} FSRTLP_SYNC, *PFSRTLP_SYNC;

typedef struct _FSRTLP_WATCH {
    LIST_ENTRY Entry;
    PVOID FsContext;
    PSTRING Directory; /* the file system's own; NULL for a watch by context alone */
    BOOLEAN Tree, IgnoreBuffer, Overflow, DeletePending, Wide;
    ULONG Filter;
    ULONG Seen; /* number of the last report that looked at it */
    PCHECK_FOR_TRAVERSE_ACCESS Traverse;
    PSECURITY_SUBJECT_CONTEXT Subject;
    PFILTER_REPORT_CHANGE Report;
    LIST_ENTRY Irps; /* IRP.Tail.Overlay.ListEntry */
    PUCHAR Buffer;   /* what happened; Room bytes */
    ULONG Room, Used, Last;
} FSRTLP_WATCH, *PFSRTLP_WATCH;

VOID NTAPI FsRtlNotifyInitializeSync(PNOTIFY_SYNC *Sync)
{
    *Sync = NULL;
    *Sync = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(FSRTLP_SYNC), FSRTLP_NOTIFY_TAG);
    if (!*Sync)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
}

VOID NTAPI FsRtlNotifyUninitializeSync(PNOTIFY_SYNC *Sync)
{
    if (*Sync)
        ExFreePoolWithTag(*Sync, FSRTLP_NOTIFY_TAG);
    *Sync = NULL;
}

/* ---- Answers --------------------------------------------------------------------------------------------------------
 */

static VOID FsRtlpEndNotify(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IofCompleteRequest(Irp, IO_DISK_INCREMENT);
}

static ULONG FsRtlpRoomOf(PIRP Irp)
{
    /* NotifyDirectory.Length lies where QueryDirectory has it, too */
    return IoGetCurrentIrpStackLocation(Irp)->Parameters.QueryDirectory.Length;
}

/* Into the requestor's buffer: his pages if they are locked, else by way of a system buffer that completion copies. */
static VOID FsRtlpAnswer(PIRP Irp, const VOID *Data, ULONG Bytes)
{
    PVOID To = Irp->AssociatedIrp.SystemBuffer;
    if (!To && Irp->MdlAddress)
        To = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
    if (!To) {
        To = IopAllocate(Bytes, FSRTLP_NOTIFY_TAG, 0);
        if (!To) {
            FsRtlpEndNotify(Irp, STATUS_NOTIFY_ENUM_DIR, 0);
            return;
        }
        Irp->AssociatedIrp.SystemBuffer = To;
        Irp->Flags |= IRP_BUFFERED_IO | IRP_INPUT_OPERATION | IRP_DEALLOCATE_BUFFER;
    }
    RtlCopyMemory(To, Data, Bytes);
    FsRtlpEndNotify(Irp, STATUS_SUCCESS, Bytes);
}

/* The first request gets what there is. */
static VOID FsRtlpServeWatch(PFSRTLP_WATCH Watch)
{
    if (IsListEmpty(&Watch->Irps) || (!Watch->Used && !Watch->Overflow))
        return;
    PIRP Irp = CONTAINING_RECORD(Watch->Irps.Flink, IRP, Tail.Overlay.ListEntry);
    if (!IoSetCancelRoutine(Irp, NULL))
        return; /* being cancelled: its routine takes it out */
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    ULONG Used = Watch->Used;
    BOOLEAN Fits = !Watch->Overflow && Used <= FsRtlpRoomOf(Irp);
    Watch->Used = Watch->Last = 0;
    Watch->Overflow = FALSE;
    if (Fits)
        FsRtlpAnswer(Irp, Watch->Buffer, Used);
    else
        FsRtlpEndNotify(Irp, STATUS_NOTIFY_ENUM_DIR, 0);
}

static VOID NTAPI FsRtlpCancelNotify(PDEVICE_OBJECT Device, PIRP Irp)
{
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    FsRtlpEndNotify(Irp, STATUS_CANCELLED, 0);
}

static VOID FsRtlpEndAll(PFSRTLP_WATCH Watch, NTSTATUS Status)
{
    for (PLIST_ENTRY Entry = Watch->Irps.Flink; Entry != &Watch->Irps;) {
        PIRP Irp = CONTAINING_RECORD(Entry, IRP, Tail.Overlay.ListEntry);
        Entry = Entry->Flink;
        if (!IoSetCancelRoutine(Irp, NULL))
            continue;
        RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
        FsRtlpEndNotify(Irp, Status, 0);
        Entry = Watch->Irps.Flink;
    }
}

static PFSRTLP_WATCH FsRtlpFindWatch(PLIST_ENTRY List, PVOID FsContext)
{
    for (PLIST_ENTRY Entry = List->Flink; Entry != List; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, FSRTLP_WATCH, Entry)->FsContext == FsContext)
            return CONTAINING_RECORD(Entry, FSRTLP_WATCH, Entry);
    return NULL;
}

static VOID FsRtlpDropWatch(PFSRTLP_SYNC Sync, PFSRTLP_WATCH Watch)
{
    Sync->Dropped++;
    RemoveEntryList(&Watch->Entry);
    FsRtlpEndAll(Watch, STATUS_NOTIFY_CLEANUP);
    if (Watch->Subject)
        ExFreePool(Watch->Subject); /* docs: the package frees it */
    if (Watch->Buffer)
        ExpFree(Watch->Buffer);
    ExpFree(Watch);
}

/* ---- Watching -------------------------------------------------------------------------------------------------------
 */

static PFSRTLP_WATCH FsRtlpNewWatch(PLIST_ENTRY List, PVOID FsContext, PSTRING Directory, BOOLEAN Tree,
                                    BOOLEAN IgnoreBuffer, ULONG Filter, ULONG Room)
{
    PFSRTLP_WATCH Watch = ExpTryAllocate(sizeof(*Watch), FSRTLP_NOTIFY_TAG);
    if (!Watch)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    Watch->FsContext = FsContext;
    Watch->Directory = Directory;
    Watch->Wide = Directory && Directory->Length >= sizeof(WCHAR) && Directory->Buffer[1] == 0;
    Watch->Tree = Tree;
    Watch->Filter = Filter;
    Watch->Room = IgnoreBuffer ? 0 : Room;
    Watch->Buffer = Watch->Room ? ExpTryAllocate(Watch->Room, FSRTLP_NOTIFY_TAG) : NULL;
    Watch->IgnoreBuffer = !Watch->Buffer;
    InitializeListHead(&Watch->Irps);
    InsertTailList(List, &Watch->Entry);
    return Watch;
}

VOID NTAPI FsRtlNotifyFilterChangeDirectory(PNOTIFY_SYNC Sync, PLIST_ENTRY List, PVOID FsContext, PSTRING Directory,
                                            BOOLEAN Tree, BOOLEAN IgnoreBuffer, ULONG Filter, PIRP Irp,
                                            PCHECK_FOR_TRAVERSE_ACCESS Traverse, PSECURITY_SUBJECT_CONTEXT Subject,
                                            PFILTER_REPORT_CHANGE Report)
{
    PFSRTLP_WATCH Watch = FsRtlpFindWatch(List, FsContext);
    if (!Irp) { /* docs: the directory is being deleted */
        if (Watch) {
            Watch->DeletePending = TRUE;
            FsRtlpEndAll(Watch, STATUS_DELETE_PENDING);
        }
        return;
    }
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    IoMarkIrpPending(Irp);
    if (File && (File->Flags & FO_CLEANUP_COMPLETE)) {
        FsRtlpEndNotify(Irp, STATUS_NOTIFY_CLEANUP, 0);
        return;
    }
    if (!Watch) {
        Watch = FsRtlpNewWatch(List, FsContext, Directory, Tree, IgnoreBuffer, Filter, FsRtlpRoomOf(Irp));
        Watch->Traverse = Traverse;
        Watch->Subject = Subject;
        Watch->Report = Report;
    }
    if (Watch->DeletePending) {
        FsRtlpEndNotify(Irp, STATUS_DELETE_PENDING, 0);
        return;
    }
    InsertTailList(&Watch->Irps, &Irp->Tail.Overlay.ListEntry);
    IoSetCancelRoutine(Irp, FsRtlpCancelNotify);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL)) {
        RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
        FsRtlpEndNotify(Irp, STATUS_CANCELLED, 0);
        return;
    }
    FsRtlpServeWatch(Watch);
}

VOID NTAPI FsRtlNotifyFullChangeDirectory(PNOTIFY_SYNC Sync, PLIST_ENTRY List, PVOID FsContext, PSTRING Directory,
                                          BOOLEAN Tree, BOOLEAN IgnoreBuffer, ULONG Filter, PIRP Irp,
                                          PCHECK_FOR_TRAVERSE_ACCESS Traverse, PSECURITY_SUBJECT_CONTEXT Subject)
{
    FsRtlNotifyFilterChangeDirectory(Sync, List, FsContext, Directory, Tree, IgnoreBuffer, Filter, Irp, Traverse,
                                     Subject, NULL);
}

/* ---- Reporting --------------------------------------------------------------------------------------------------- */

/* Where in the target's name the part below the watched directory begins; -1 = it is not below. */
static LONG FsRtlpBelow(PFSRTLP_WATCH Watch, PSTRING Target, USHORT NameOffset)
{
    ULONG Unit = Watch->Wide ? sizeof(WCHAR) : 1, Prefix = Watch->Directory->Length;
    if (Prefix == Unit) /* the root, whose name is its separator */
        Prefix = 0;
    if (Target->Length <= Prefix + Unit ||
        RtlCompareMemory(Target->Buffer, Watch->Directory->Buffer, Prefix) != Prefix || Target->Buffer[Prefix] != '\\')
        return -1;
    Prefix += Unit;
    return Watch->Tree || Prefix == NameOffset ? (LONG)Prefix : -1;
}

static BOOLEAN FsRtlpMaySee(PFSRTLP_WATCH Watch, PVOID TargetContext, PVOID FilterContext)
{
    VF_CALLBACK Callback;
    BOOLEAN May = TRUE;
    if (Watch->Report && FilterContext) {
        IopEnter(&Callback, "PFILTER_REPORT_CHANGE", "filter of a directory notification",
                 (PVOID)(ULONG_PTR)Watch->Report, Watch);
        May = Watch->Report(Watch->FsContext, FilterContext);
        VfLeaveCallback(&Callback);
    }
    if (May && Watch->Traverse && Watch->Tree && TargetContext) {
        IopEnter(&Callback, "PCHECK_FOR_TRAVERSE_ACCESS", "access check of a directory notification",
                 (PVOID)(ULONG_PTR)Watch->Traverse, Watch);
        May = Watch->Traverse(Watch->FsContext, TargetContext, Watch->Subject);
        VfLeaveCallback(&Callback);
    }
    return May;
}

static ULONG FsRtlpWiden(PWCH To, PCSTR From, ULONG Bytes, BOOLEAN Wide)
{
    ULONG Made = 0;
    if (Wide) {
        RtlCopyMemory(To, From, Bytes);
        return Bytes;
    }
    RtlOemToUnicodeN(To, Bytes * sizeof(WCHAR), &Made, (PCHAR)From, Bytes);
    return Made;
}

/* One more record; what does not fit makes the whole an overflow. */
static VOID FsRtlpAddChange(PFSRTLP_WATCH Watch, ULONG Action, PCSTR Name, ULONG Bytes, PSTRING Stream)
{
    ULONG Unit = Watch->Wide ? 1 : sizeof(WCHAR), Start = (Watch->Used + 3) & ~3u;
    ULONG Colon = Stream ? sizeof(WCHAR) : 0;
    ULONG Text = Bytes * Unit + (Stream ? Stream->Length * Unit + Colon : 0);
    if (Watch->IgnoreBuffer || Start + FIELD_OFFSET(FILE_NOTIFY_INFORMATION, FileName) + Text > Watch->Room) {
        Watch->Overflow = TRUE;
        Watch->Used = Watch->Last = 0;
        return;
    }
    PFILE_NOTIFY_INFORMATION Record = (PVOID)(Watch->Buffer + Start);
    if (Watch->Used)
        ((PFILE_NOTIFY_INFORMATION)(Watch->Buffer + Watch->Last))->NextEntryOffset = Start - Watch->Last;
    Record->NextEntryOffset = 0;
    Record->Action = Action;
    Record->FileNameLength = FsRtlpWiden(Record->FileName, Name, Bytes, Watch->Wide);
    if (Stream) {
        Record->FileName[Record->FileNameLength / sizeof(WCHAR)] = L':';
        Record->FileNameLength += sizeof(WCHAR);
        Record->FileNameLength += FsRtlpWiden(Record->FileName + Record->FileNameLength / sizeof(WCHAR), Stream->Buffer,
                                              Stream->Length, Watch->Wide);
    }
    Watch->Last = Start;
    Watch->Used = Start + FIELD_OFFSET(FILE_NOTIFY_INFORMATION, FileName) + Record->FileNameLength;
}

static VOID FsRtlpReportTo(PFSRTLP_WATCH Watch, PFSRTLP_SYNC Sync, PSTRING Target, USHORT NameOffset, PSTRING Stream,
                           ULONG Action, PVOID TargetContext, PVOID FilterContext)
{
    LONG Below = FsRtlpBelow(Watch, Target, NameOffset);
    ULONG Dropped = Sync->Dropped;
    if (Below < 0 || !FsRtlpMaySee(Watch, TargetContext, FilterContext) || Dropped != Sync->Dropped)
        return;
    if (!Watch->Overflow)
        FsRtlpAddChange(Watch, Action, Target->Buffer + Below, Target->Length - Below, Stream);
    /* An old name waits for the new one, so that one answer has both (docs: FILE_ACTION_RENAMED_OLD_NAME). */
    if (Action != FILE_ACTION_RENAMED_OLD_NAME || Watch->Overflow)
        FsRtlpServeWatch(Watch);
}

VOID NTAPI FsRtlNotifyFilterReportChange(PNOTIFY_SYNC Opaque, PLIST_ENTRY List, PSTRING Target, USHORT NameOffset,
                                         PSTRING Stream, PSTRING NormalizedParent, ULONG Match, ULONG Action,
                                         PVOID TargetContext, PVOID FilterContext)
{
    PFSRTLP_SYNC Sync = Opaque;
    ULONG Report = ++Sync->Reports;
    for (PLIST_ENTRY Entry = List->Flink, Next; Entry != List; Entry = Next) {
        PFSRTLP_WATCH Watch = CONTAINING_RECORD(Entry, FSRTLP_WATCH, Entry);
        ULONG Dropped = Sync->Dropped;
        Next = Entry->Flink;
        if (Watch->Seen == Report || !(Watch->Filter & Match) || !Watch->Directory || Watch->DeletePending)
            continue;
        Watch->Seen = Report;
        FsRtlpReportTo(Watch, Sync, Target, NameOffset, Stream, Action, TargetContext, FilterContext);
        if (Dropped != Sync->Dropped)
            Next = List->Flink;
    }
}

VOID NTAPI FsRtlNotifyFullReportChange(PNOTIFY_SYNC Sync, PLIST_ENTRY List, PSTRING Target, USHORT NameOffset,
                                       PSTRING Stream, PSTRING NormalizedParent, ULONG Match, ULONG Action,
                                       PVOID TargetContext)
{
    FsRtlNotifyFilterReportChange(Sync, List, Target, NameOffset, Stream, NormalizedParent, Match, Action,
                                  TargetContext, NULL);
}

/* docs: FsRtlNotifyCleanup: the last handle of the watching file object is closed. */
VOID NTAPI FsRtlNotifyCleanup(PNOTIFY_SYNC Sync, PLIST_ENTRY List, PVOID FsContext)
{
    PFSRTLP_WATCH Watch = FsRtlpFindWatch(List, FsContext);
    if (Watch)
        FsRtlpDropWatch(Sync, Watch);
}

VOID NTAPI FsRtlNotifyCleanupAll(PNOTIFY_SYNC Sync, PLIST_ENTRY List)
{
    while (!IsListEmpty(List))
        FsRtlpDropWatch(Sync, CONTAINING_RECORD(List->Flink, FSRTLP_WATCH, Entry));
}
