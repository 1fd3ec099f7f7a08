/*
 * Views of cached files: made, filled, written, given up. All paging requests are made here.
 */
#include "nt.h"
#include "cc/ccp.h"

#define CCP_TRANSFER_PAGES 16 /* docs: the cache manager transfers at most 64 KiB at a time */
#define BIT(n) (1ull << (n))

LIST_ENTRY CcpViews = {&CcpViews, &CcpViews};
static ULONG CcpViewCount;

static UINT64 CcpBits(ULONG First, ULONG Pages)
{
    return (Pages == 64 ? ~0ull : BIT(Pages) - 1) << First;
}

/* ---- Views ----------------------------------------------------------------------------------------------------------
 */

static VOID CcpFreeView(PCCP_VIEW View)
{
    View->Map->View[View->Offset / CCP_VIEW_BYTES] = NULL;
    RemoveEntryList(&View->Used);
    CcpViewCount--;
    MiFreePages(View->Physical, CCP_VIEW_PAGES);
    ExpFree(View);
}

/* The one that was not used for longest and that nobody needs. */
static BOOLEAN CcpEvict(VOID)
{
    for (PLIST_ENTRY Entry = CcpViews.Flink; Entry != &CcpViews; Entry = Entry->Flink) {
        PCCP_VIEW View = CONTAINING_RECORD(Entry, CCP_VIEW, Used);
        if (!View->Mapped && !View->Dirty && !View->Busy) {
            CcpFreeView(View);
            return TRUE;
        }
    }
    CcpWake();
    return FALSE;
}

static BOOLEAN CcpMakeRoom(PCCP_MAP Map, ULONG Views)
{
    if (Views <= Map->Views)
        return TRUE;
    ULONG Room = Views > 2 * Map->Views ? Views : 2 * Map->Views;
    PCCP_VIEW *Table = ExpTryAllocate(Room * sizeof(*Table), CCP_TAG);
    if (!Table)
        return FALSE;
    RtlCopyMemory(Table, Map->View, Map->Views * sizeof(*Table));
    if (Map->View)
        ExpFree(Map->View);
    Map->View = Table;
    Map->Views = Room;
    return TRUE;
}

static PCCP_VIEW CcpMakeView(PCCP_MAP Map, ULONG Number)
{
    ULONG Most = (ULONG)(KiDoor->ram_bytes / CCP_VIEW_BYTES / 4);
    while (CcpViewCount >= Most && CcpEvict())
        ;
    UINT64 Physical = MiAllocatePages(CCP_VIEW_PAGES);
    while (!Physical && CcpEvict())
        Physical = MiAllocatePages(CCP_VIEW_PAGES);
    PCCP_VIEW View = Physical ? ExpTryAllocate(sizeof(*View), CCP_TAG) : NULL;
    if (!View) {
        if (Physical)
            MiFreePages(Physical, CCP_VIEW_PAGES);
        return NULL;
    }
    View->Map = Map;
    View->Offset = (LONGLONG)Number * CCP_VIEW_BYTES;
    View->Physical = Physical;
    View->Memory = MiLinear(Physical);
    Map->View[Number] = View;
    CcpViewCount++;
    return View;
}

/* NULL = no memory. */
static PCCP_VIEW CcpTryViewAt(PCCP_MAP Map, LONGLONG Offset)
{
    ULONG Number = (ULONG)((ULONGLONG)Offset / CCP_VIEW_BYTES);
    if (!CcpMakeRoom(Map, Number + 1))
        return NULL;
    PCCP_VIEW View = Map->View[Number];
    if (View)
        RemoveEntryList(&View->Used);
    else if (!(View = CcpMakeView(Map, Number)))
        return NULL;
    InsertTailList(&CcpViews, &View->Used);
    View->Mapped++;
    return View;
}

PCCP_VIEW CcpViewAt(PCCP_MAP Map, LONGLONG Offset)
{
    if ((ULONGLONG)Offset / CCP_VIEW_BYTES >= MAXULONG / sizeof(PVOID))
        ExRaiseStatus(STATUS_INVALID_PARAMETER);
    PCCP_VIEW View = CcpTryViewAt(Map, Offset);
    if (!View)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return View;
}

VOID CcpLeaveView(PCCP_VIEW View)
{
    View->Mapped--;
}

VOID CcpFreeViews(PCCP_MAP Map)
{
    for (ULONG i = 0; i < Map->Views; i++)
        if (Map->View[i])
            CcpFreeView(Map->View[i]);
    if (Map->View)
        ExpFree(Map->View);
    Map->View = NULL;
    Map->Views = 0;
}

BOOLEAN CcpIsReady(PCCP_MAP Map, LONGLONG Offset, ULONG Bytes)
{
    LONGLONG End = Offset + Bytes;
    while (Offset < End) {
        ULONG Number = (ULONG)((ULONGLONG)Offset / CCP_VIEW_BYTES), Page = (ULONG)(Offset % CCP_VIEW_BYTES / PAGE_SIZE);
        PCCP_VIEW View = Number < Map->Views ? Map->View[Number] : NULL;
        if (!View || !(View->Valid & BIT(Page)) || (View->Busy & ~View->Valid & BIT(Page)))
            return FALSE;
        Offset = (Offset & ~(LONGLONG)(PAGE_SIZE - 1)) + PAGE_SIZE;
    }
    return TRUE;
}

/* ---- Transfers --------------------------------------------------------------------------------------------------- */

/* Pages of ours as a paging request describes them: locked, and not "nonpaged pool". */
PMDL CcpMakeMdl(PVOID Memory, ULONG Bytes)
{
    PMDL Mdl = IoAllocateMdl(Memory, Bytes, FALSE, FALSE, NULL);
    if (!Mdl)
        return NULL;
    MmBuildMdlForNonPagedPool(Mdl);
    Mdl->MdlFlags = (Mdl->MdlFlags & ~MDL_SOURCE_IS_NONPAGED_POOL) | MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA;
    Mdl->MappedSystemVa = Memory;
    return Mdl;
}

VOID CcpFreeMdl(PMDL Mdl)
{
    Mdl->MdlFlags &= ~(MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA);
    Mdl->MappedSystemVa = NULL;
    IoFreeMdl(Mdl);
}

/* Until none of the pages is in transfer. */
static VOID CcpWaitPages(PCCP_VIEW View, UINT64 Bits)
{
    while (View->Busy & Bits) {
        KeClearEvent(&View->Map->Idle);
        KeWaitForSingleObject(&View->Map->Idle, Executive, KernelMode, FALSE, NULL);
    }
}

/* docs: "Dispatch Routine IRQL and Thread Context": a paging read comes at APC_LEVEL, out of a page fault. */
NTSTATUS CcpPageTransfer(PFILE_OBJECT File, PVOID Memory, LONGLONG Offset, ULONG Bytes, BOOLEAN Write,
                         PIO_STATUS_BLOCK Iosb)
{
    PMDL Mdl = CcpMakeMdl(Memory, Bytes);
    Iosb->Information = 0;
    if (!Mdl)
        return STATUS_INSUFFICIENT_RESOURCES;
    Mdl->MdlFlags |= Write ? MDL_WRITE_OPERATION : MDL_IO_PAGE_READ;
    KIRQL Irql = Write ? KeGetCurrentIrql() : KfRaiseIrql(APC_LEVEL);
    NTSTATUS Status = IopPageTransfer(File, Mdl, Offset, Write, Iosb);
    if (!Write)
        KeLowerIrql(Irql);
    CcpFreeMdl(Mdl);
    return Status;
}

static NTSTATUS CcpTransfer(PCCP_VIEW View, ULONG First, ULONG Pages, BOOLEAN Write, PULONG_PTR Done)
{
    PCCP_MAP Map = View->Map;
    UINT64 Bits = CcpBits(First, Pages);
    IO_STATUS_BLOCK Iosb = {0};
    View->Mapped++;
    View->Busy |= Bits;
    NTSTATUS Status = CcpPageTransfer(Map->File, View->Memory + First * PAGE_SIZE, View->Offset + First * PAGE_SIZE,
                                      Pages * PAGE_SIZE, Write, &Iosb);
    View->Busy &= ~Bits;
    View->Mapped--;
    KeSetEvent(&Map->Idle, IO_NO_INCREMENT, FALSE);
    *Done = Iosb.Information;
    return Status;
}

static ULONG CcpRunOf(UINT64 Bits, ULONG First, ULONG End)
{
    ULONG n = 0;
    while (First + n < End && n < CCP_TRANSFER_PAGES && (Bits & BIT(First + n)))
        n++;
    return n;
}

/* What lies behind the valid data is zero and need not be read. */
static BOOLEAN CcpIsBeyond(PCCP_VIEW View, ULONG Page)
{
    return View->Map->ValidData.QuadPart != MAXLONGLONG &&
           View->Offset + (LONGLONG)Page * PAGE_SIZE >= View->Map->ValidGoal.QuadPart;
}

NTSTATUS CcpReady(PCCP_VIEW View, ULONG First, ULONG Pages)
{
    ULONG Page = First, End = First + Pages;
    while (Page < End) {
        if (View->Valid & BIT(Page)) {
            Page++;
            continue;
        }
        if (View->Busy & BIT(Page)) {
            CcpWaitPages(View, BIT(Page));
            continue;
        }
        if (CcpIsBeyond(View, Page)) {
            RtlZeroMemory(View->Memory + Page * PAGE_SIZE, PAGE_SIZE);
            View->Valid |= BIT(Page);
            continue;
        }
        ULONG Run = CcpRunOf(~View->Valid & ~View->Busy, Page, End);
        ULONG_PTR Done = 0;
        NTSTATUS Status = CcpTransfer(View, Page, Run, FALSE, &Done);
        if (!NT_SUCCESS(Status) && Status != STATUS_END_OF_FILE)
            return Status;
        if (Status == STATUS_END_OF_FILE)
            Done = 0;
        if (Done < Run * PAGE_SIZE)
            RtlZeroMemory(View->Memory + Page * PAGE_SIZE + Done, Run * PAGE_SIZE - Done);
        View->Valid |= CcpBits(Page, Run);
        Page += Run;
    }
    return STATUS_SUCCESS;
}

VOID CcpSetDirty(PCCP_VIEW View, ULONG First, ULONG Pages)
{
    UINT64 Bits = CcpBits(First, Pages) & ~View->Dirty;
    ULONG New = (ULONG)__builtin_popcountll(Bits);
    View->Valid |= CcpBits(First, Pages);
    View->Dirty |= Bits;
    View->Map->DirtyPages += New;
    CcpDirtyPages += New;
    CcpWake();
}

static VOID CcpSetClean(PCCP_VIEW View, UINT64 Bits)
{
    ULONG Gone = (ULONG)__builtin_popcountll(View->Dirty & Bits);
    View->Dirty &= ~Bits;
    View->Map->DirtyPages -= Gone;
    CcpDirtyPages -= Gone;
}

static VOID CcpPagesOf(PCCP_VIEW View, LONGLONG Offset, LONGLONG End, PULONG First, PULONG Last)
{
    LONGLONG ViewEnd = View->Offset + CCP_VIEW_BYTES;
    *First = Offset > View->Offset ? (ULONG)((Offset - View->Offset) / PAGE_SIZE) : 0;
    *Last = End >= ViewEnd ? CCP_VIEW_PAGES : (ULONG)((End - View->Offset + PAGE_SIZE - 1) / PAGE_SIZE);
}

static NTSTATUS CcpWriteView(PCCP_VIEW View, ULONG First, ULONG Last, PULONG_PTR Written)
{
    NTSTATUS Result = STATUS_SUCCESS;
    for (ULONG Page = First; Page < Last;) {
        if (View->Busy & View->Dirty & BIT(Page)) {
            CcpWaitPages(View, BIT(Page));
            continue;
        }
        ULONG Run = CcpRunOf(View->Dirty & ~View->Busy, Page, Last);
        if (!Run) {
            Page++;
            continue;
        }
        UINT64 Bits = CcpBits(Page, Run);
        LONGLONG Start = View->Offset + (LONGLONG)Page * PAGE_SIZE;
        ULONG_PTR Done = 0;
        CcpFlushLog(View->Map, Start, Start + Run * PAGE_SIZE);
        CcpSetClean(View, Bits); /* what is dirtied during the write is dirty after it */
        NTSTATUS Status = CcpTransfer(View, Page, Run, TRUE, &Done);
        if (NT_SUCCESS(Status) || Status == STATUS_END_OF_FILE) { /* beyond the file's end there is nothing to keep */
            CcpForgetDirty(View->Map, Start, Start + Run * PAGE_SIZE);
            *Written += Run * PAGE_SIZE;
        } else {
            CcpSetDirty(View, Page, Run);
            Result = Status;
        }
        Page += Run;
    }
    return Result;
}

NTSTATUS CcpWriteRange(PCCP_MAP Map, LONGLONG Offset, LONGLONG End, PULONG_PTR Written)
{
    NTSTATUS Result = STATUS_SUCCESS;
    ULONG First, Last;
    for (ULONG i = (ULONG)(Offset / CCP_VIEW_BYTES); i < Map->Views && (LONGLONG)i * CCP_VIEW_BYTES < End; i++) {
        PCCP_VIEW View = Map->View[i];
        if (!View || !(View->Dirty | View->Busy))
            continue;
        View->Mapped++;
        CcpPagesOf(View, Offset, End, &First, &Last);
        NTSTATUS Status = CcpWriteView(View, First, Last, Written);
        View->Mapped--;
        if (!NT_SUCCESS(Status))
            Result = Status;
    }
    return Result;
}

BOOLEAN CcpDiscard(PCCP_MAP Map, LONGLONG Offset, LONGLONG End, BOOLEAN DirtyToo)
{
    BOOLEAN All = TRUE;
    ULONG First, Last;
    for (ULONG i = (ULONG)(Offset / CCP_VIEW_BYTES); i < Map->Views && (LONGLONG)i * CCP_VIEW_BYTES < End; i++) {
        PCCP_VIEW View = Map->View[i];
        if (!View)
            continue;
        CcpPagesOf(View, Offset, End, &First, &Last);
        UINT64 Bits = CcpBits(First, Last - First);
        if (View->Mapped || (View->Busy & Bits) || (!DirtyToo && (View->Dirty & Bits))) {
            All = FALSE;
            continue;
        }
        CcpForgetDirty(Map, View->Offset + First * PAGE_SIZE, View->Offset + Last * PAGE_SIZE);
        CcpSetClean(View, Bits);
        View->Valid &= ~Bits;
        if (!View->Valid)
            CcpFreeView(View);
    }
    return All;
}

/* ---- Pages that sections show ------------------------------------------------------------------------------------ */

static ULONG CcpPageOf(LONGLONG Offset)
{
    return (ULONG)(Offset % CCP_VIEW_BYTES / PAGE_SIZE);
}

NTSTATUS CcpShare(PCCP_MAP Map, LONGLONG Offset, UINT64 *Physical)
{
    PCCP_VIEW View = CcpTryViewAt(Map, Offset);
    NTSTATUS Status = View ? CcpReady(View, CcpPageOf(Offset), 1) : STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(Status))
        *Physical = View->Physical + CcpPageOf(Offset) * PAGE_SIZE;
    else if (View)
        CcpLeaveView(View);
    return Status;
}

BOOLEAN CcpShareThis(PCCP_MAP Map, LONGLONG Offset, PVOID Bytes, UINT64 *Physical)
{
    PCCP_VIEW View = CcpTryViewAt(Map, Offset);
    if (!View)
        return FALSE;
    RtlCopyMemory(View->Memory + CcpPageOf(Offset) * PAGE_SIZE, Bytes, PAGE_SIZE);
    View->Valid |= BIT(CcpPageOf(Offset));
    *Physical = View->Physical + CcpPageOf(Offset) * PAGE_SIZE;
    return TRUE;
}

VOID CcpShareDirty(PCCP_MAP Map, LONGLONG Offset, PVOID Bytes)
{
    LONGLONG End = Offset + PAGE_SIZE < Map->FileSize.QuadPart ? Offset + PAGE_SIZE : Map->FileSize.QuadPart;
    PCCP_VIEW View = CcpTryViewAt(Map, Offset);
    if (!View)
        return;
    if (Bytes)
        RtlCopyMemory(View->Memory + CcpPageOf(Offset) * PAGE_SIZE, Bytes, PAGE_SIZE);
    CcpSetDirty(View, CcpPageOf(Offset), 1);
    if (Map->ValidGoal.QuadPart != MAXLONGLONG && Map->ValidGoal.QuadPart < End)
        Map->ValidGoal.QuadPart = End;
    CcpLeaveView(View);
}

VOID CcpUnshare(PCCP_MAP Map, LONGLONG Offset)
{
    CcpLeaveView(Map->View[Offset / CCP_VIEW_BYTES]);
}

/* docs: MmSetAddressRangeModified: the range lies in views; pages that hold nothing of the file are left alone. */
BOOLEAN NTAPI MmSetAddressRangeModified(PVOID Address, SIZE_T Length)
{
    PUCHAR Start = Address, End = Start + Length;
    BOOLEAN Marked = FALSE;
    for (PLIST_ENTRY Entry = CcpViews.Flink; Entry != &CcpViews; Entry = Entry->Flink) {
        PCCP_VIEW View = CONTAINING_RECORD(Entry, CCP_VIEW, Used);
        for (ULONG Page = 0; Page < CCP_VIEW_PAGES; Page++) {
            PUCHAR At = View->Memory + Page * PAGE_SIZE;
            if (At >= End || At + PAGE_SIZE <= Start || !(View->Valid & ~View->Dirty & BIT(Page)))
                continue;
            CcpSetDirty(View, Page, 1);
            Marked = TRUE;
        }
    }
    return Marked;
}
