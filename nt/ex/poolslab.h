/*
 * The tracked pool's way of a block in and out, for pool.c alone; see poolslab.c.
 */
#pragma once

#include "ex/poolp.h"

#define EX_SLAB_PAGES 16ull
#define EX_QUARANTINE 16
#define EX_CLASSES 21

typedef struct _EX_SLAB {
    struct _EX_SLAB *Next;
    UINT64 Base;     /* of the blocks, as drivers know it */
    UINT64 Physical; /* of the blocks */
    UINT64 RecordPhysical;
    ULONG RecordPages;
    ULONG Stride, PerPage, Capacity;
    ULONG Reciprocal; /* 2^20 / Stride, rounded up: exact for offsets below a page */
    ULONG Used;       /* strides that have been handed out at least once */
    ULONG Free;       /* used while counting, by ExpSlabTrim */
    UCHAR Kind;
    EX_BLOCK Block[];
} EX_SLAB, *PEX_SLAB;

/* The record for an address anywhere in a slab; NULL if no block was ever there. */
static inline PEX_BLOCK ExpSlabBlockOf(PVOID Owner, UINT64 Address)
{
    PEX_SLAB Slab = Owner;
    ULONG InPage = (ULONG)((UINT64)Address & (DOOR_PAGE - 1));
    ULONG InStride = (ULONG)(((UINT64)InPage * Slab->Reciprocal) >> 20);
    ULONG Index = (ULONG)((Address - Slab->Base) / DOOR_PAGE) * Slab->PerPage + InStride;

    return InStride < Slab->PerPage && Index < Slab->Used ? &Slab->Block[Index] : NULL;
}

/* Where a tracked block can be read and written whatever the view's state. */
static inline PUCHAR ExpSlabLinear(PEX_BLOCK Block)
{
    return (PUCHAR)(Block->Address - (Block->Kind == ExPoolPaged ? DOOR_PAGED_BASE - DOOR_LINEAR_BASE : 0));
}

static inline UINT64 ExpZoneEnd(UINT64 Bytes)
{
    return ((Bytes + 15) & ~15ull) + EX_ZONE;
}

/* The first damaged byte around a tracked block, NULL if it is whole. */
static inline PUCHAR ExpSlabDamageOf(PEX_BLOCK Block)
{
    PUCHAR At = ExpSlabLinear(Block), Bad;
    UINT64 Bytes = Block->Bytes;

    Bad = ExpCheck(At - EX_ZONE, EX_ZONE, EX_FILL_ZONE);
    return Bad ? Bad : ExpCheck(At + Bytes, ExpZoneEnd(Bytes) - Bytes, EX_FILL_ZONE);
}

typedef struct _EX_CLASS {
    EX_QUEUE Freed;
    PEX_SLAB Slabs; /* newest first: only that one has unused strides */
} EX_CLASS;

extern UCHAR ExpClassOf[DOOR_PAGE / 16 + 1]; /* by (bytes with zones) / 16 */
extern EX_CLASS ExpClass[ExPoolKinds][EX_CLASSES];

/* A stride that was never used. NULL = no memory. */
PEX_BLOCK ExpFreshBlock(EX_POOL_KIND Kind, ULONG Class);

/* NULL = no memory, or too large with its zones. */
FORCEINLINE PEX_BLOCK ExpSlabAllocate(const EX_REQUEST *Request)
{
    UINT64 Bytes = Request->Bytes, Whole = ExpZoneEnd(Bytes) + EX_ZONE;
    EX_CLASS *Class;
    PEX_BLOCK Block;
    PUCHAR At, Stale;
    ULONG Index;

    if (Request->CacheAligned && Bytes > 16)
        Whole += 48; /* room to move the block up to a multiple of 64 */
    if (Whole > DOOR_PAGE)
        return NULL;
    Index = ExpClassOf[Whole / 16];
    Class = &ExpClass[Request->Kind][Index];
    if (Class->Freed.Count < EX_QUARANTINE || (Block = ExpDequeue(&Class->Freed)) == NULL) {
        Block = ExpFreshBlock(Request->Kind, Index);
        if (!Block && (Block = ExpDequeue(&Class->Freed)) == NULL)
            return NULL;
    }
    if (Block->State == ExBlockFreed && (Stale = ExpCheck(ExpSlabLinear(Block), Block->Bytes, EX_FILL_FREED)) != NULL)
        ExpReportStaleWrite(Block, Stale);
    Block->Address -= Block->Shift;
    Block->Shift = Request->CacheAligned && Bytes > 16 ? (ULONG)(-Block->Address & 63) : 0;
    Block->Address += Block->Shift;
    At = ExpSlabLinear(Block);
    Block->State = ExBlockLive;
    Block->FreedAt = 0;
    ExpFill(At - EX_ZONE, EX_ZONE, EX_FILL_ZONE);
    ExpFill(At, Bytes, Request->Zero ? 0 : EX_FILL_ALLOCATED);
    ExpFill(At + Bytes, ExpZoneEnd(Bytes) - Bytes, EX_FILL_ZONE);
    return Block;
}

/* Of a live block whose zones were checked. */
FORCEINLINE VOID ExpSlabFree(PEX_BLOCK Block)
{
    ExpFill(ExpSlabLinear(Block), Block->Bytes, EX_FILL_FREED);
    ExpEnqueue(&ExpClass[Block->Kind][Block->Class].Freed, Block);
}
