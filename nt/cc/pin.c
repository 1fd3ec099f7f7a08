/*
 * Mapped and pinned pieces of the cache (docs: CcMapData, CcPinRead, CcPinMappedData, CcPreparePinWrite,
 * CcSetDirtyPinnedData, CcUnpinData, CcRepinBcb).
 *
 * A pinned piece has a buffer control block that all who pin the same pages share, with a resource that each of them
 * holds, shared or exclusively. It outlives its pins as long as its pages are dirty, because it knows the log sequence
 * numbers that the log must have reached before they are written. A mapped piece's block is its own, only there to be
 * given back.
 */
#include "nt.h"
#include "cc/ccp.h"

#define CCP_BCB_CODE 0x2fd

/* docs: the piece must lie within one view of 256 KiB; more is never there, which who won't wait hears at once. What lies
 * in no view of the file's section has no memory. */
static BOOLEAN CcpCheckPiece(PCCP_MAP Map, LONGLONG Offset, ULONG Length, BOOLEAN Wait)
{
    BOOLEAN Fits = Length && Offset >= 0 && Offset % CCP_VIEW_BYTES + Length <= CCP_VIEW_BYTES;
    if (!Fits && Wait)
        ExRaiseStatus(STATUS_INVALID_PARAMETER);
    if (Fits && Offset >= Map->SectionSize.QuadPart)
        ExRaiseStatus(STATUS_ACCESS_VIOLATION);
    return Fits;
}

static PCCP_BCB CcpMakeBcb(PCCP_MAP Map, PCCP_VIEW View, LONGLONG Offset, ULONG Length)
{
    PCCP_BCB Bcb = ExpTryAllocate(sizeof(*Bcb), 'bBcC');
    if (!Bcb)
        return NULL;
    Bcb->Public.NodeTypeCode = CCP_BCB_CODE;
    Bcb->Public.MappedFileOffset.QuadPart = Offset & ~(PAGE_SIZE - 1ll);
    Bcb->Public.MappedLength =
        (ULONG)(((Offset + Length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ll)) - Bcb->Public.MappedFileOffset.QuadPart);
    Bcb->Map = Map;
    Bcb->View = View;
    return Bcb;
}

static VOID CcpFreeBcb(PCCP_BCB Bcb)
{
    if (Bcb->Pinned) {
        RemoveEntryList(&Bcb->Entry);
        ExDeleteResourceLite(&Bcb->Resource);
    }
    ExpFree(Bcb);
}

/* ---- Map --------------------------------------------------------------------------------------------------------- */

BOOLEAN NTAPI CcMapData(PFILE_OBJECT File, PLARGE_INTEGER FileOffset, ULONG Length, ULONG Flags, PVOID *Opaque,
                        PVOID *Buffer)
{
    PCCP_MAP Map = CcpMapOf(File);
    LONGLONG Offset = FileOffset->QuadPart;
    if (!CcpCheckPiece(Map, Offset, Length, (Flags & MAP_WAIT) != 0) ||
        (!(Flags & MAP_WAIT) && !CcpIsReady(Map, Offset, Length)))
        return FALSE;
    PCCP_VIEW View = CcpViewAt(Map, Offset);
    ULONG In = (ULONG)(Offset % CCP_VIEW_BYTES), First = In / PAGE_SIZE;
    NTSTATUS Status = CcpReady(View, First, (In + Length + PAGE_SIZE - 1) / PAGE_SIZE - First);
    PCCP_BCB Bcb = NT_SUCCESS(Status) ? CcpMakeBcb(Map, View, Offset, Length) : NULL;
    if (!Bcb) {
        CcpLeaveView(View);
        ExRaiseStatus(NT_SUCCESS(Status) ? STATUS_INSUFFICIENT_RESOURCES
                                         : FsRtlNormalizeNtstatus(Status, STATUS_UNEXPECTED_IO_ERROR));
    }
    Bcb->Pins = 1;
    *Opaque = Bcb;
    *Buffer = View->Memory + In;
    return TRUE;
}

/* ---- Pin --------------------------------------------------------------------------------------------------------- */

static PCCP_BCB CcpFindBcb(PCCP_MAP Map, LONGLONG Offset, ULONG Length)
{
    for (PLIST_ENTRY Entry = Map->Bcbs.Flink; Entry != &Map->Bcbs; Entry = Entry->Flink) {
        PCCP_BCB Bcb = CONTAINING_RECORD(Entry, CCP_BCB, Entry);
        LONGLONG Start = Bcb->Public.MappedFileOffset.QuadPart;
        if (Offset >= Start && Offset + Length <= Start + Bcb->Public.MappedLength)
            return Bcb;
    }
    return NULL;
}

static BOOLEAN CcpTake(PCCP_BCB Bcb, ULONG Flags)
{
    BOOLEAN Wait = (Flags & PIN_WAIT) != 0;
    Bcb->Pins++;
    if (Flags & PIN_EXCLUSIVE ? ExAcquireResourceExclusiveLite(&Bcb->Resource, Wait)
                              : ExAcquireSharedStarveExclusive(&Bcb->Resource, Wait))
        return TRUE;
    Bcb->Pins--;
    return FALSE;
}

/* The block for a piece whose pages are there, with this thread's hold on it. NULL = would have to wait. */
static PCCP_BCB CcpPin(PCCP_MAP Map, LONGLONG Offset, ULONG Length, ULONG Flags,
                       NTSTATUS (*Prepare)(PCCP_VIEW, ULONG, ULONG))
{
    ULONG In = (ULONG)(Offset % CCP_VIEW_BYTES);
    PCCP_BCB Bcb = CcpFindBcb(Map, Offset, Length);
    if (!Bcb && (Flags & PIN_IF_BCB))
        return NULL;
    PCCP_VIEW View = CcpViewAt(Map, Offset);
    NTSTATUS Status = Prepare(View, In, Length);
    if (NT_SUCCESS(Status)) {
        Bcb = CcpFindBcb(Map, Offset, Length); /* a read is a delivery point */
        if (!Bcb && (Bcb = CcpMakeBcb(Map, View, Offset, Length))) {
            Bcb->Pinned = TRUE;
            ExInitializeResourceLite(&Bcb->Resource);
            InsertTailList(&Map->Bcbs, &Bcb->Entry);
        }
        if (!Bcb)
            Status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!NT_SUCCESS(Status)) {
        CcpLeaveView(View);
        ExRaiseStatus(FsRtlNormalizeNtstatus(Status, STATUS_UNEXPECTED_IO_ERROR));
    }
    if (CcpTake(Bcb, Flags))
        return Bcb;
    CcpLeaveView(View);
    return NULL;
}

static NTSTATUS CcpPrepareRead(PCCP_VIEW View, ULONG In, ULONG Length)
{
    ULONG First = In / PAGE_SIZE;
    return CcpReady(View, First, (In + Length + PAGE_SIZE - 1) / PAGE_SIZE - First);
}

static NTSTATUS CcpPrepareNothing(PCCP_VIEW View, ULONG In, ULONG Length)
{
    return STATUS_SUCCESS;
}

/* Whole pages will be written: only those at the edges are read. */
static NTSTATUS CcpPrepareEdges(PCCP_VIEW View, ULONG In, ULONG Length)
{
    ULONG First = In / PAGE_SIZE, Last = (In + Length - 1) / PAGE_SIZE;
    NTSTATUS Status = STATUS_SUCCESS;
    if (In % PAGE_SIZE || (First == Last && (In + Length) % PAGE_SIZE))
        Status = CcpReady(View, First, 1);
    if (NT_SUCCESS(Status) && (In + Length) % PAGE_SIZE)
        Status = CcpReady(View, Last, 1);
    return Status;
}

BOOLEAN NTAPI CcPinRead(PFILE_OBJECT File, PLARGE_INTEGER FileOffset, ULONG Length, ULONG Flags, PVOID *Opaque,
                        PVOID *Buffer)
{
    PCCP_MAP Map = CcpMapOf(File);
    if (!CcpCheckPiece(Map, FileOffset->QuadPart, Length, (Flags & PIN_WAIT) != 0) ||
        (!(Flags & (PIN_WAIT | PIN_NO_READ)) && !CcpIsReady(Map, FileOffset->QuadPart, Length)))
        return FALSE;
    PCCP_BCB Bcb =
        CcpPin(Map, FileOffset->QuadPart, Length, Flags, Flags & PIN_NO_READ ? CcpPrepareNothing : CcpPrepareRead);
    if (!Bcb)
        return FALSE;
    *Opaque = Bcb;
    *Buffer = Bcb->View->Memory + FileOffset->QuadPart % CCP_VIEW_BYTES;
    return TRUE;
}

/* docs: CcPinMappedData: the mapped piece becomes a pinned one; pinned already, nothing changes. */
BOOLEAN NTAPI CcPinMappedData(PFILE_OBJECT File, PLARGE_INTEGER FileOffset, ULONG Length, ULONG Flags, PVOID *Opaque)
{
    PCCP_MAP Map = CcpMapOf(File);
    PCCP_BCB Mapped = *Opaque;
    if (Mapped->Pinned)
        return TRUE;
    if (!CcpCheckPiece(Map, FileOffset->QuadPart, Length, (Flags & PIN_WAIT) != 0))
        return FALSE;
    PCCP_BCB Bcb = CcpPin(Map, FileOffset->QuadPart, Length, Flags, CcpPrepareRead);
    if (!Bcb)
        return FALSE;
    CcpLeaveView(Mapped->View);
    CcpFreeBcb(Mapped);
    *Opaque = Bcb;
    return TRUE;
}

BOOLEAN NTAPI CcPreparePinWrite(PFILE_OBJECT File, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Zero, ULONG Flags,
                                PVOID *Opaque, PVOID *Buffer)
{
    PCCP_MAP Map = CcpMapOf(File);
    LONGLONG Offset = FileOffset->QuadPart;
    ULONG In = (ULONG)(Offset % CCP_VIEW_BYTES), First = In / PAGE_SIZE;
    if (!CcpCheckPiece(Map, Offset, Length, (Flags & PIN_WAIT) != 0))
        return FALSE;
    if (!(Flags & PIN_WAIT) && !CcpIsReady(Map, Offset, Length) &&
        (Offset % PAGE_SIZE || (Offset + Length) % PAGE_SIZE))
        return FALSE;
    PCCP_BCB Bcb = CcpPin(Map, Offset, Length, Flags, CcpPrepareEdges);
    if (!Bcb)
        return FALSE;
    *Opaque = Bcb;
    *Buffer = Bcb->View->Memory + In;
    if (Zero)
        RtlZeroMemory(*Buffer, Length);
    CcpSetDirty(Bcb->View, First, (In + Length + PAGE_SIZE - 1) / PAGE_SIZE - First);
    CcSetDirtyPinnedData(Bcb, NULL);
    return TRUE;
}

/* ---- Dirty ------------------------------------------------------------------------------------------------------- */

VOID NTAPI CcSetDirtyPinnedData(PVOID Opaque, PLARGE_INTEGER Lsn)
{
    PCCP_BCB Bcb = Opaque;
    LONGLONG End = Bcb->Public.MappedFileOffset.QuadPart + Bcb->Public.MappedLength;
    if (Lsn && Lsn->QuadPart) {
        if (!Bcb->OldestLsn.QuadPart || Lsn->QuadPart < Bcb->OldestLsn.QuadPart)
            Bcb->OldestLsn = *Lsn;
        if (Lsn->QuadPart > Bcb->NewestLsn.QuadPart)
            Bcb->NewestLsn = *Lsn;
    }
    Bcb->Dirty = TRUE;
    CcpSetDirty(Bcb->View, (ULONG)(Bcb->Public.MappedFileOffset.QuadPart % CCP_VIEW_BYTES / PAGE_SIZE),
                Bcb->Public.MappedLength / PAGE_SIZE);
    if (Bcb->Map->ValidGoal.QuadPart != MAXLONGLONG && Bcb->Map->ValidGoal.QuadPart < End)
        Bcb->Map->ValidGoal.QuadPart = End < Bcb->Map->FileSize.QuadPart ? End : Bcb->Map->FileSize.QuadPart;
}

static BOOLEAN CcpTouches(PCCP_BCB Bcb, LONGLONG Offset, LONGLONG End)
{
    LONGLONG Start = Bcb->Public.MappedFileOffset.QuadPart;
    return Start < End && Offset < Start + Bcb->Public.MappedLength;
}

/* A block whose pages were written in part stays dirty with what is left: look at the view. */
VOID CcpForgetDirty(PCCP_MAP Map, LONGLONG Offset, LONGLONG End)
{
    for (PLIST_ENTRY Entry = Map->Bcbs.Flink, Next; Entry != &Map->Bcbs; Entry = Next) {
        PCCP_BCB Bcb = CONTAINING_RECORD(Entry, CCP_BCB, Entry);
        Next = Entry->Flink;
        if (!Bcb->Dirty || !CcpTouches(Bcb, Offset, End))
            continue;
        LONGLONG Start = Bcb->Public.MappedFileOffset.QuadPart;
        ULONG First = (ULONG)(Start % CCP_VIEW_BYTES / PAGE_SIZE), Pages = Bcb->Public.MappedLength / PAGE_SIZE;
        UINT64 Bits = (Pages == 64 ? ~0ull : (1ull << Pages) - 1) << First;
        BOOLEAN Whole = Offset <= Start && Start + Bcb->Public.MappedLength <= End;
        if (!Whole && Map->View[Start / CCP_VIEW_BYTES] && (Map->View[Start / CCP_VIEW_BYTES]->Dirty & Bits))
            continue;
        Bcb->Dirty = FALSE;
        Bcb->OldestLsn.QuadPart = Bcb->NewestLsn.QuadPart = 0;
        if (!Bcb->Pins)
            CcpFreeBcb(Bcb);
    }
}

VOID CcpFlushLog(PCCP_MAP Map, LONGLONG Offset, LONGLONG End)
{
    LARGE_INTEGER Newest = {.QuadPart = 0};
    if (!Map->FlushToLsn)
        return;
    for (PLIST_ENTRY Entry = Map->Bcbs.Flink; Entry != &Map->Bcbs; Entry = Entry->Flink) {
        PCCP_BCB Bcb = CONTAINING_RECORD(Entry, CCP_BCB, Entry);
        if (Bcb->Dirty && CcpTouches(Bcb, Offset, End) && Bcb->NewestLsn.QuadPart > Newest.QuadPart)
            Newest = Bcb->NewestLsn;
    }
    if (!Newest.QuadPart)
        return;
    VF_CALLBACK Callback;
    IopEnter(&Callback, "PFLUSH_TO_LSN", "flush of the log", (PVOID)(ULONG_PTR)Map->FlushToLsn, Map->LogHandle);
    Map->FlushToLsn(Map->LogHandle, Newest);
    VfLeaveCallback(&Callback);
}

/* docs: CcGetDirtyPages: of all files with this log; the oldest number of all. */
LARGE_INTEGER NTAPI CcGetDirtyPages(PVOID LogHandle, PDIRTY_PAGE_ROUTINE Routine, PVOID Context1, PVOID Context2)
{
    LARGE_INTEGER Oldest = {.QuadPart = 0};
    for (PLIST_ENTRY File = CcpMaps.Flink; File != &CcpMaps; File = File->Flink) {
        PCCP_MAP Map = CONTAINING_RECORD(File, CCP_MAP, Entry);
        if (Map->LogHandle != LogHandle)
            continue;
        for (PLIST_ENTRY Entry = Map->Bcbs.Flink; Entry != &Map->Bcbs; Entry = Entry->Flink) {
            PCCP_BCB Bcb = CONTAINING_RECORD(Entry, CCP_BCB, Entry);
            VF_CALLBACK Callback;
            if (!Bcb->Dirty)
                continue;
            if (Bcb->OldestLsn.QuadPart && (!Oldest.QuadPart || Bcb->OldestLsn.QuadPart < Oldest.QuadPart))
                Oldest = Bcb->OldestLsn;
            IopEnter(&Callback, "PDIRTY_PAGE_ROUTINE", "routine for dirty pages", (PVOID)(ULONG_PTR)Routine, Map->File);
            Routine(Map->File, &Bcb->Public.MappedFileOffset, Bcb->Public.MappedLength, &Bcb->OldestLsn,
                    &Bcb->NewestLsn, Context1, Context2);
            VfLeaveCallback(&Callback);
        }
    }
    return Oldest;
}

/* ---- Unpin ------------------------------------------------------------------------------------------------------- */

static VOID CcpUnpin(PCCP_BCB Bcb)
{
    PCCP_MAP Map = Bcb->Map;
    CcpLeaveView(Bcb->View);
    if (--Bcb->Pins == 0 && !Bcb->Dirty)
        CcpFreeBcb(Bcb);
    CcpTryDelete(Map);
}

VOID NTAPI CcUnpinDataForThread(PVOID Opaque, ERESOURCE_THREAD Thread)
{
    PCCP_BCB Bcb = Opaque;
    if (Bcb->Pinned)
        ExReleaseResourceForThreadLite(&Bcb->Resource, Thread);
    CcpUnpin(Bcb);
}

VOID NTAPI CcUnpinData(PVOID Opaque)
{
    CcUnpinDataForThread(Opaque, (ERESOURCE_THREAD)PsGetCurrentThread());
}

VOID NTAPI CcSetBcbOwnerPointer(PVOID Opaque, PVOID Owner)
{
    PCCP_BCB Bcb = Opaque;
    if (Bcb->Pinned)
        ExSetResourceOwnerPointer(&Bcb->Resource, Owner);
}

/* docs: CcRepinBcb: once more, without a hold on its resource. */
VOID NTAPI CcRepinBcb(PVOID Opaque)
{
    PCCP_BCB Bcb = Opaque;
    Bcb->Pins++;
    Bcb->View->Mapped++;
}

/* A mapped piece gets a second block, so that each is given back once. */
PVOID NTAPI CcRemapBcb(PVOID Opaque)
{
    PCCP_BCB Bcb = Opaque,
             Copy = CcpMakeBcb(Bcb->Map, Bcb->View, Bcb->Public.MappedFileOffset.QuadPart, Bcb->Public.MappedLength);
    if (!Copy)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    Copy->Pins = 1;
    Bcb->View->Mapped++;
    return Copy;
}

VOID NTAPI CcUnpinRepinnedBcb(PVOID Opaque, BOOLEAN WriteThrough, PIO_STATUS_BLOCK Iosb)
{
    PCCP_BCB Bcb = Opaque;
    Iosb->Status = STATUS_SUCCESS;
    Iosb->Information = 0;
    if (WriteThrough && Bcb->Dirty)
        Iosb->Status =
            CcpWriteRange(Bcb->Map, Bcb->Public.MappedFileOffset.QuadPart,
                          Bcb->Public.MappedFileOffset.QuadPart + Bcb->Public.MappedLength, &Iosb->Information);
    CcpUnpin(Bcb);
}

PFILE_OBJECT NTAPI CcGetFileObjectFromBcb(PVOID Opaque)
{
    return ((PCCP_BCB)Opaque)->Map->File;
}
