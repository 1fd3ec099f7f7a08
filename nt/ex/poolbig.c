/*
 * Pool blocks of whole pages: everything that does not fit a page with its zones. The rest of the last page holds a
 * pattern that is looked at on free. With special pool on, a block also has a closed page behind it, and its pages are
 * closed when it is freed. Freed blocks are kept for a while, up to a 64th of RAM, so that a second free is known as
 * one.
 */
#include "nt.h"
#include "ex/poolp.h"

#define EX_KEEP_BLOCKS 64
#define EX_TAG_RECORD 'cerP'

static LIST_ENTRY ExpBigList; /* EX_BIG.Entry, of live and kept blocks */
static EX_QUEUE ExpKept;
static UINT64 ExpKeptPages;

typedef struct _EX_BIG {
    EX_BLOCK Block;
    LIST_ENTRY Entry;
} EX_BIG, *PEX_BIG;

static inline UINT64 ExpPhysicalOf(PEX_BLOCK Block)
{
    return (UINT64)ExpLinear(Block->Address) - DOOR_LINEAR_BASE;
}

static inline ULONG ExpAllPages(PEX_BLOCK Block)
{
    return Block->Pages + (Block->Flags & EX_BLOCK_GUARDED ? 1 : 0);
}

/* The pages of a freed block go back. */
static VOID ExpReleaseBig(PEX_BLOCK Block)
{
    PEX_BIG Big = CONTAINING_RECORD(Block, EX_BIG, Block);
    UINT64 Pages = ExpAllPages(Block);

    if (Block->Kind != ExPoolPaged && (Block->Flags & EX_BLOCK_GUARDED))
        MiProtect(Block->Address, Pages * DOOR_PAGE, DOOR_READ | DOOR_WRITE);
    MiFreePages(ExpPhysicalOf(Block), Pages);
    RemoveEntryList(&Big->Entry);
    ExpFree(Big);
}

BOOLEAN ExpBigTrim(VOID)
{
    PEX_BLOCK Block;
    BOOLEAN Any = FALSE;

    while ((Block = ExpDequeue(&ExpKept)) != NULL) {
        ExpReleaseBig(Block);
        Any = TRUE;
    }
    ExpKeptPages = 0;
    return Any;
}

PEX_BLOCK ExpBigAllocate(const EX_REQUEST *Request)
{
    UINT64 Pages = (Request->Bytes + DOOR_PAGE - 1) / DOOR_PAGE, Physical;
    UCHAR Paged = Request->Kind == ExPoolPaged ? MI_PAGE_PAGED : 0;
    PEX_BIG Big;
    PUCHAR At;

    if (Pages + 1 >= MiPageCount || (Big = ExpTryAllocate(sizeof(*Big), EX_TAG_RECORD)) == NULL)
        return NULL;
    Pages += Request->Special ? 1 : 0;
    Physical = Request->Place ? MiAllocatePagesAt(Pages, Request->Place) : MiAllocatePages(Pages);
    Pages -= Request->Special ? 1 : 0;
    if (!Physical) {
        ExpFree(Big);
        return NULL;
    }
    if (!ExpBigList.Flink)
        InitializeListHead(&ExpBigList);
    InsertTailList(&ExpBigList, &Big->Entry);
    Big->Block.Address = Physical + (Paged ? DOOR_PAGED_BASE : DOOR_LINEAR_BASE);
    Big->Block.Pages = (ULONG)Pages;
    Big->Block.Kind = Request->Kind;
    Big->Block.State = ExBlockLive;
    Big->Block.Flags = (Request->Special ? EX_BLOCK_GUARDED : 0) | (Request->Place ? EX_BLOCK_PLACED : 0);
    MiSetPages(Physical, Pages, MiUseBig, Paged, &Big->Block);
    if (Request->Special) {
        MiSetPages(Physical + Pages * DOOR_PAGE, 1, MiUseGuard, Paged | MI_PAGE_CLOSED, &Big->Block);
        if (!Paged)
            MiProtect(Big->Block.Address + Pages * DOOR_PAGE, DOOR_PAGE, DOOR_NONE);
    }
    At = ExpLinear(Big->Block.Address);
    if (!Request->Zero)
        ExpFill(At, Request->Bytes, EX_FILL_ALLOCATED);
    ExpFill(At + Request->Bytes, Pages * DOOR_PAGE - Request->Bytes, EX_FILL_ZONE);
    return &Big->Block;
}

VOID ExpBigFree(PEX_BLOCK Block)
{
    UINT64 Pages = ExpAllPages(Block), Limit = MiPageCount / 64;
    UCHAR Paged = Block->Kind == ExPoolPaged ? MI_PAGE_PAGED : 0;

    if (Paged)
        MiClosePaged(Block->Address, Pages * DOOR_PAGE);
    if (Pages > Limit) {
        ExpReleaseBig(Block);
        return;
    }
    MiSetPages(ExpPhysicalOf(Block), Block->Pages, MiUseBig, Paged | MI_PAGE_CLOSED, Block);
    if (!Paged && (Block->Flags & EX_BLOCK_GUARDED))
        MiProtect(Block->Address, Block->Pages * DOOR_PAGE, DOOR_NONE);
    ExpEnqueue(&ExpKept, Block);
    ExpKeptPages += Pages;
    while (ExpKept.Count > EX_KEEP_BLOCKS || ExpKeptPages > Limit) {
        PEX_BLOCK Oldest = ExpDequeue(&ExpKept);
        ExpKeptPages -= ExpAllPages(Oldest);
        ExpReleaseBig(Oldest);
    }
}

VOID ExpBigEnumerate(VOID (*Visit)(PEX_BLOCK Block, PVOID Context), PVOID Context)
{
    if (!ExpBigList.Flink)
        return;
    for (PLIST_ENTRY Entry = ExpBigList.Flink; Entry != &ExpBigList; Entry = Entry->Flink) {
        PEX_BIG Big = CONTAINING_RECORD(Entry, EX_BIG, Entry);
        if (Big->Block.State == ExBlockLive)
            Visit(&Big->Block, Context);
    }
}
