/*
 * Special pool: a block alone at the end of its page, before a closed page, so that the first byte past it (rounded up
 * to 16) faults at the instruction that touches it. What is left of the page holds a pattern, looked at when the block
 * is freed. On free the page is closed, and it waits behind EX_QUARANTINE_PAGES others before it serves again, so a use
 * after free faults too. (Windows does the same where Driver Verifier's special pool option is on.)
 *
 * Pages are used in pairs, data and guard, from chunks that are closed as a whole once; later only the data page
 * changes its protection, at about 2 us a time. In the pageable view pages are closed anyway and opened by faults one
 * by one (window.c), so there nothing is ever protected here; the page's "closed" flag says that the block was freed.
 *
 * The budget keeps the process below the host's limit of 65,530 mappings: each open page is two. Past it, and past a
 * quarter of RAM, the tracked pool serves.
 */
#include "nt.h"
#include "ex/poolp.h"

#define EX_CHUNK_SLOTS 64ull
#define EX_LIVE_LIMIT 12000u
#define EX_QUARANTINE_PAGES 2048u

typedef struct _EX_CHUNK {
    struct _EX_CHUNK *Next;
    EX_BLOCK Block[EX_CHUNK_SLOTS];
} EX_CHUNK, *PEX_CHUNK;

C_ASSERT(sizeof(EX_CHUNK) <= DOOR_PAGE);

static EX_QUEUE ExpFreeSlots[2]; /* by kind: nonpaged, paged; oldest first */
static PEX_CHUNK ExpChunks;
static ULONG ExpChunkCount, ExpSpecialLive;

static inline UINT64 ExpPageOfBlock(PEX_BLOCK Block)
{
    return Block->Address & ~(DOOR_PAGE - 1);
}

static BOOLEAN ExpCreateChunk(EX_POOL_KIND Kind)
{
    UINT64 View = Kind == ExPoolPaged ? DOOR_PAGED_BASE : DOOR_LINEAR_BASE;
    UINT64 Physical, Record;
    PEX_CHUNK Chunk;

    if ((UINT64)(ExpChunkCount + 1) * EX_CHUNK_SLOTS * 2 > MiPageCount / 4)
        return FALSE;
    Physical = MiAllocatePages(2 * EX_CHUNK_SLOTS);
    Record = Physical ? MiAllocatePages(1) : 0;
    if (!Record || (Kind != ExPoolPaged &&
                    KiDoor->protect(View + Physical, 2 * EX_CHUNK_SLOTS * DOOR_PAGE, DOOR_NONE) != DOOR_OK)) {
        if (Record)
            MiFreePages(Record, 1);
        if (Physical)
            MiFreePages(Physical, 2 * EX_CHUNK_SLOTS);
        return FALSE;
    }
    Chunk = MiLinear(Record);
    Chunk->Next = ExpChunks;
    ExpChunks = Chunk;
    ExpChunkCount++;
    for (ULONG i = 0; i < EX_CHUNK_SLOTS; i++) {
        PEX_BLOCK Block = &Chunk->Block[i];
        UINT64 Data = Physical + 2 * i * DOOR_PAGE;
        UCHAR Flags = MI_PAGE_CLOSED | (Kind == ExPoolPaged ? MI_PAGE_PAGED : 0);
        Block->Address = View + Data;
        Block->Kind = (UCHAR)Kind;
        MiSetPages(Data, 1, MiUseSpecial, Flags, Block);
        MiSetPages(Data + DOOR_PAGE, 1, MiUseGuard, Flags, Block);
        ExpEnqueue(&ExpFreeSlots[Kind], Block);
    }
    return TRUE;
}

static ULONG ExpQuarantine(VOID)
{
    UINT64 Eighth = MiPageCount / 16; /* pairs */
    return Eighth < EX_QUARANTINE_PAGES ? (ULONG)Eighth : EX_QUARANTINE_PAGES;
}

PEX_BLOCK ExpSpecialAllocate(const EX_REQUEST *Request)
{
    EX_QUEUE *Free = &ExpFreeSlots[Request->Kind];
    UINT64 Align = Request->CacheAligned ? 64 : 16, Physical, Page, Bytes = Request->Bytes;
    PEX_BLOCK Block;
    PMI_PAGE Data;
    PUCHAR At;

    if (ExpSpecialLive >= EX_LIVE_LIMIT)
        return NULL;
    /* The queue's head is a slot never used, or the one that was freed longest ago. */
    if ((!Free->Head || (Free->Head->State == ExBlockFreed && Free->Count < ExpQuarantine())) &&
        !ExpCreateChunk(Request->Kind) && !Free->Head)
        return NULL;
    Block = ExpDequeue(Free);
    Page = ExpPageOfBlock(Block);
    Data = MiPageOfView(Page, &Physical);
    if (Request->Kind != ExPoolPaged && KiDoor->protect(Page, DOOR_PAGE, DOOR_READ | DOOR_WRITE) != DOOR_OK) {
        ExpEnqueue(Free, Block);
        return NULL;
    }
    Data->Flags &= (UCHAR) ~(MI_PAGE_CLOSED | MI_PAGE_EXECUTABLE);
    Block->Address = Page + ((DOOR_PAGE - Bytes) & ~(Align - 1));
    Block->State = ExBlockLive;
    Block->FreedAt = 0;
    ExpSpecialLive++;
    At = ExpLinear(Page);
    ExpFill(At, Block->Address - Page, EX_FILL_ZONE);
    At = ExpLinear(Block->Address);
    ExpFill(At, Bytes, Request->Zero ? 0 : EX_FILL_ALLOCATED);
    ExpFill(At + Bytes, Page + DOOR_PAGE - Block->Address - Bytes, EX_FILL_ZONE);
    return Block;
}

VOID ExpSpecialFree(PEX_BLOCK Block)
{
    UINT64 Page = ExpPageOfBlock(Block), Physical;

    MiPageOfView(Page, &Physical)->Flags |= MI_PAGE_CLOSED;
    if (Block->Kind == ExPoolPaged)
        MiClosePaged(Page, DOOR_PAGE);
    else
        MiProtect(Page, DOOR_PAGE, DOOR_NONE);
    ExpSpecialLive--;
    ExpEnqueue(&ExpFreeSlots[Block->Kind], Block);
}

VOID ExpSpecialEnumerate(VOID (*Visit)(PEX_BLOCK Block, PVOID Context), PVOID Context)
{
    for (PEX_CHUNK Chunk = ExpChunks; Chunk; Chunk = Chunk->Next)
        for (ULONG i = 0; i < EX_CHUNK_SLOTS; i++)
            if (Chunk->Block[i].State == ExBlockLive)
                Visit(&Chunk->Block[i], Context);
}
