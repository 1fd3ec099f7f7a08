/*
 * The lazy writer: a system thread that writes what is dirty, ends files that nobody uses any more, and lets writers go
 * on that had to wait. And read-ahead, by work items. (docs: CcDeferWrite, CcCanIWrite,
 * CcWaitForCurrentLazyWriterActivity, CcScheduleReadAhead)
 *
 * Its time is the machine's: three seconds after something has become dirty it makes a round, then one each second
 * until nothing is left; between them it sleeps for good. A file that waits for its end is looked after at once.
 */
#include "nt.h"
#include "cc/ccp.h"

#define CCP_FIRST_DELAY (3ll * 10000000)
#define CCP_NEXT_DELAY (1ll * 10000000)

ULONG CcpDirtyPages, CcpDirtyMost;

typedef struct _CCP_DEFERRED {
    LIST_ENTRY Entry;
    PFILE_OBJECT File;
    ULONG Bytes;
    PCC_POST_DEFERRED_WRITE Post; /* NULL: a thread waits for the event */
    PVOID Context1, Context2;
    PKEVENT Event;
} CCP_DEFERRED, *PCCP_DEFERRED;

static LIST_ENTRY CcpDeferred = {&CcpDeferred, &CcpDeferred};
static KEVENT CcpWork, CcpNow, CcpRoundDone;
static ULONG CcpRounds; /* begun */

VOID CcpWake(VOID)
{
    KeSetEvent(&CcpWork, IO_NO_INCREMENT, FALSE);
}

/* ---- How much may be dirty --------------------------------------------------------------------------------------- */

static BOOLEAN CcpMayDirty(PFILE_OBJECT File, ULONG Bytes)
{
    PCCP_MAP Map = File && File->SectionObjectPointer ? CcpMapOf(File) : NULL;
    ULONG Pages = (Bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    if (!CcpDirtyPages) /* docs: one write is always let through */
        return TRUE;
    if (Map && Map->DirtyThreshold && Map->DirtyPages + Pages > Map->DirtyThreshold)
        return FALSE;
    return CcpDirtyPages + Pages <= CcpDirtyMost;
}

static VOID CcpHurry(VOID)
{
    CcpWake();
    KeSetEvent(&CcpNow, IO_NO_INCREMENT, FALSE);
}

/* docs: CcCanIWrite: TRUE at once, or after waiting for the lazy writer if the caller may wait. */
BOOLEAN NTAPI CcCanIWrite(PFILE_OBJECT File, ULONG Bytes, BOOLEAN Wait, BOOLEAN Retrying)
{
    KEVENT Event;
    CCP_DEFERRED Deferred = {.File = File, .Bytes = Bytes, .Event = &Event};
    if ((Retrying || IsListEmpty(&CcpDeferred)) && CcpMayDirty(File, Bytes))
        return TRUE;
    if (!Wait) {
        CcpHurry();
        return FALSE;
    }
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    InsertTailList(&CcpDeferred, &Deferred.Entry);
    CcpHurry();
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    return TRUE;
}

static VOID CcpPost(PCC_POST_DEFERRED_WRITE Post, PVOID Context1, PVOID Context2)
{
    VF_CALLBACK Callback;
    IopEnter(&Callback, "PCC_POST_DEFERRED_WRITE", "deferred write", (PVOID)(ULONG_PTR)Post, Context1);
    Post(Context1, Context2);
    VfLeaveCallback(&Callback);
}

VOID NTAPI CcDeferWrite(PFILE_OBJECT File, PCC_POST_DEFERRED_WRITE Post, PVOID Context1, PVOID Context2, ULONG Bytes,
                        BOOLEAN Retrying)
{
    if (CcCanIWrite(File, Bytes, FALSE, Retrying)) {
        CcpPost(Post, Context1, Context2);
        return;
    }
    PCCP_DEFERRED Deferred = ExpTryAllocate(sizeof(*Deferred), CCP_TAG);
    if (!Deferred)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    *Deferred = (CCP_DEFERRED){.File = File, .Bytes = Bytes, .Post = Post, .Context1 = Context1, .Context2 = Context2};
    if (Retrying)
        InsertHeadList(&CcpDeferred, &Deferred->Entry);
    else
        InsertTailList(&CcpDeferred, &Deferred->Entry);
    CcpHurry();
}

static VOID CcpPostDeferred(VOID)
{
    for (PLIST_ENTRY Entry = CcpDeferred.Flink; Entry != &CcpDeferred;) {
        PCCP_DEFERRED Deferred = CONTAINING_RECORD(Entry, CCP_DEFERRED, Entry);
        Entry = Entry->Flink;
        if (!CcpMayDirty(Deferred->File, Deferred->Bytes))
            continue;
        CCP_DEFERRED Due = *Deferred;
        RemoveEntryList(&Deferred->Entry);
        if (Due.Event) {
            KeSetEvent(Due.Event, IO_NO_INCREMENT, FALSE);
            continue;
        }
        ExpFree(Deferred);
        CcpPost(Due.Post, Due.Context1, Due.Context2);
        Entry = CcpDeferred.Flink;
    }
}

/* ---- Rounds ------------------------------------------------------------------------------------------------------ */

/* docs: a write that fails for good loses its data, and the user is told ("delayed write failed"). */
static VOID CcpGiveUp(PCCP_MAP Map, NTSTATUS Status)
{
    if (Status == STATUS_FILE_LOCK_CONFLICT || Status == STATUS_INSUFFICIENT_RESOURCES ||
        Status == STATUS_VERIFY_REQUIRED || Status == STATUS_CANT_WAIT)
        return; /* next time */
    VfRemark("delayed write of %wZ failed with 0x%08x: data is lost", &Map->File->FileName, Status);
    CcpDiscard(Map, 0, MAXLONGLONG - CCP_VIEW_BYTES, TRUE);
}

static VOID CcpWriteBehind(PCCP_MAP Map)
{
    VF_CALLBACK Callback;
    ULONG_PTR Written = 0;
    IopEnter(&Callback, "PACQUIRE_FOR_LAZY_WRITE", "lock of a file for the lazy writer",
             (PVOID)(ULONG_PTR)Map->Callbacks.AcquireForLazyWrite, Map->File);
    BOOLEAN Locked = Map->Callbacks.AcquireForLazyWrite(Map->Context, TRUE);
    VfLeaveCallback(&Callback);
    if (!Locked)
        return;
    NTSTATUS Status = CcpWriteRange(Map, 0, MAXLONGLONG - CCP_VIEW_BYTES, &Written);
    if (!NT_SUCCESS(Status))
        CcpGiveUp(Map, Status);
    else
        CcpTellValidData(Map);
    IopEnter(&Callback, "PRELEASE_FROM_LAZY_WRITE", "release of a file by the lazy writer",
             (PVOID)(ULONG_PTR)Map->Callbacks.ReleaseFromLazyWrite, Map->File);
    Map->Callbacks.ReleaseFromLazyWrite(Map->Context);
    VfLeaveCallback(&Callback);
}

static PCCP_MAP CcpNextWork(ULONG Round, BOOLEAN EndsOnly)
{
    for (PLIST_ENTRY Entry = CcpMaps.Flink; Entry != &CcpMaps; Entry = Entry->Flink) {
        PCCP_MAP Map = CONTAINING_RECORD(Entry, CCP_MAP, Entry);
        if (Map->Round == Round)
            continue;
        if (!Map->OpenCount ||
            (!EndsOnly && Map->DirtyPages && !Map->NoWriteBehind && !(Map->File->Flags & FO_TEMPORARY_FILE)))
            return Map;
    }
    return NULL;
}

/* Each file once; after each the list is looked at anew. */
static VOID CcpRound(BOOLEAN EndsOnly)
{
    ULONG Round = ++CcpRounds;
    PCCP_MAP Map;
    while ((Map = CcpNextWork(Round, EndsOnly))) {
        Map->Round = Round;
        Map->Writing = TRUE; /* it stays */
        if (Map->DirtyPages)
            CcpWriteBehind(Map);
        Map->Writing = FALSE;
        CcpTryDelete(Map);
    }
    CcpPostDeferred();
    KeSetEvent(&CcpRoundDone, IO_NO_INCREMENT, FALSE);
}

static BOOLEAN CcpIsWork(VOID)
{
    if (!IsListEmpty(&CcpDeferred))
        return TRUE;
    for (PLIST_ENTRY Entry = CcpMaps.Flink; Entry != &CcpMaps; Entry = Entry->Flink) {
        PCCP_MAP Map = CONTAINING_RECORD(Entry, CCP_MAP, Entry);
        if (Map->DirtyPages && (!Map->OpenCount || (!Map->NoWriteBehind && !(Map->File->Flags & FO_TEMPORARY_FILE))))
            return TRUE;
    }
    return FALSE;
}

static VOID CcpLazyWriter(PVOID Context)
{
    KeEnterCriticalRegion();
    for (;;) {
        KeWaitForSingleObject(&CcpWork, Executive, KernelMode, FALSE, NULL);
        KeClearEvent(&CcpWork);
        CcpRound(TRUE);
        LARGE_INTEGER Delay = {.QuadPart = -CCP_FIRST_DELAY};
        while (CcpIsWork()) {
            KeWaitForSingleObject(&CcpNow, Executive, KernelMode, FALSE, &Delay);
            CcpRound(FALSE);
            Delay.QuadPart = -CCP_NEXT_DELAY;
        }
    }
}

/* docs: until what is being written, or waits to be, is through. */
NTSTATUS NTAPI CcWaitForCurrentLazyWriterActivity(VOID)
{
    ULONG Round = CcpRounds;
    if (!CcpIsWork())
        return STATUS_SUCCESS;
    while (CcpRounds <= Round + 1 && CcpIsWork()) {
        KeClearEvent(&CcpRoundDone);
        CcpHurry();
        KeWaitForSingleObject(&CcpRoundDone, Executive, KernelMode, FALSE, NULL);
    }
    return STATUS_SUCCESS;
}

VOID CcpInitialize(VOID)
{
    PETHREAD Thread;
    CcpDirtyMost = (ULONG)(MiFreePageCount() / 8);
    KeInitializeEvent(&CcpWork, NotificationEvent, FALSE);
    KeInitializeEvent(&CcpNow, SynchronizationEvent, FALSE);
    KeInitializeEvent(&CcpRoundDone, NotificationEvent, FALSE);
    if (!NT_SUCCESS(PspCreateSystemThread(CcpLazyWriter, NULL, FALSE, &Thread)))
        KiInternalError("no memory for the lazy writer");
    ObDereferenceObject(Thread);
}

/* ---- Read-ahead -------------------------------------------------------------------------------------------------- */

typedef struct _CCP_AHEAD {
    WORK_QUEUE_ITEM Item;
    PFILE_OBJECT File;
    PCCP_MAP Map;
    LONGLONG Offset, End;
} CCP_AHEAD, *PCCP_AHEAD;

static VOID CcpFetch(PCCP_MAP Map, LONGLONG Offset, LONGLONG End)
{
    while (Offset < End) {
        ULONG In = (ULONG)(Offset % CCP_VIEW_BYTES), First = In / PAGE_SIZE;
        ULONG Bytes = End - Offset < CCP_VIEW_BYTES - In ? (ULONG)(End - Offset) : CCP_VIEW_BYTES - In;
        PCCP_VIEW View = CcpViewAt(Map, Offset);
        NTSTATUS Status = CcpReady(View, First, (In + Bytes + PAGE_SIZE - 1) / PAGE_SIZE - First);
        CcpLeaveView(View);
        if (!NT_SUCCESS(Status))
            return; /* whoever reads it will see */
        Offset += Bytes;
    }
}

static VOID NTAPI CcpRunAhead(PVOID Parameter)
{
    PCCP_AHEAD Ahead = Parameter;
    PCCP_MAP Map = Ahead->Map;
    PCCP_PRIVATE Private = Ahead->File->PrivateCacheMap;
    VF_CALLBACK Callback;
    KeEnterCriticalRegion();
    IopEnter(&Callback, "PACQUIRE_FOR_READ_AHEAD", "lock of a file for read-ahead",
             (PVOID)(ULONG_PTR)Map->Callbacks.AcquireForReadAhead, Map->File);
    BOOLEAN Locked = Map->Callbacks.AcquireForReadAhead(Map->Context, TRUE);
    VfLeaveCallback(&Callback);
    if (Locked) {
        if (Ahead->End > Map->FileSize.QuadPart)
            Ahead->End = Map->FileSize.QuadPart;
        CcpFetch(Map, Ahead->Offset, Ahead->End);
        IopEnter(&Callback, "PRELEASE_FROM_READ_AHEAD", "release of a file by read-ahead",
                 (PVOID)(ULONG_PTR)Map->Callbacks.ReleaseFromReadAhead, Map->File);
        Map->Callbacks.ReleaseFromReadAhead(Map->Context);
        VfLeaveCallback(&Callback);
    }
    if (Private)
        Private->AheadQueued = FALSE;
    Map->OpenCount--;
    CcpTryDelete(Map);
    ObfDereferenceObject(Ahead->File);
    ExpFree(Ahead);
    KeLeaveCriticalRegion();
}

static VOID CcpQueueAhead(PFILE_OBJECT File, PCCP_PRIVATE Private, LONGLONG Offset, LONGLONG End)
{
    PCCP_MAP Map = CcpMapOf(File);
    if (End > Map->FileSize.QuadPart)
        End = Map->FileSize.QuadPart;
    if (Private->AheadQueued || Offset >= End || CcpIsReady(Map, Offset, (ULONG)(End - Offset)))
        return;
    PCCP_AHEAD Ahead = ExpTryAllocate(sizeof(*Ahead), CCP_TAG);
    if (!Ahead)
        return;
    Ahead->File = File;
    Ahead->Map = Map;
    Ahead->Offset = Offset;
    Ahead->End = End;
    Private->AheadQueued = TRUE;
    Private->AheadEnd = End;
    Map->OpenCount++; /* it stays */
    ObfReferenceObject(File);
    ExInitializeWorkItem(&Ahead->Item, CcpRunAhead, Ahead);
    ExQueueWorkItem(&Ahead->Item, CriticalWorkQueue);
}

/* docs: CcScheduleReadAhead: after the given read, by what is known of the ones before. */
VOID NTAPI CcScheduleReadAhead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length)
{
    PCCP_PRIVATE Private = File->PrivateCacheMap;
    if (!Private || !CcpMapOf(File) || CcpMapOf(File)->NoReadAhead || (File->Flags & FO_RANDOM_ACCESS))
        return;
    ULONG Unit = Private->ReadAheadMask + 1;
    LONGLONG Start = (Offset->QuadPart + Length + Unit - 1) & ~(LONGLONG)(Unit - 1);
    LONGLONG Bytes = (LONGLONG)(Length > 0x10000 ? Length : 0x10000) * (File->Flags & FO_SEQUENTIAL_ONLY ? 2 : 1);
    CcpQueueAhead(File, Private, Start, Start + Bytes);
}

VOID NTAPI CcScheduleReadAheadEx(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, PETHREAD Issuer)
{
    CcScheduleReadAhead(File, Offset, Length);
}

/* After a read: the second of two that follow each other shows a direction. */
VOID CcpReadAhead(PFILE_OBJECT File, LONGLONG Offset, ULONG Bytes)
{
    PCCP_PRIVATE Private = File->PrivateCacheMap;
    LARGE_INTEGER Start = {.QuadPart = Offset};
    if (!Private)
        return;
    BOOLEAN Follows = Offset == Private->LastEnd && Offset;
    Private->LastStart = Offset;
    Private->LastEnd = Offset + Bytes;
    if (Follows && CcpMapOf(File)->UnmapBehind)
        CcpDiscard(CcpMapOf(File), 0, Offset / CCP_VIEW_BYTES * CCP_VIEW_BYTES, FALSE);
    if (Follows && Offset + (LONGLONG)Bytes + Private->ReadAheadMask >= Private->AheadEnd)
        CcScheduleReadAhead(File, &Start, Bytes);
}
