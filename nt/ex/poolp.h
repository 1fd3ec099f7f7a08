/*
 * Between the files of the pool. A block is served by one of three:
 *
 *   tracked  (poolslab.c)    blocks below a page, in slabs of equal strides, red zones before and behind
 *   special  (poolspecial.c) blocks up to a page, each alone at the end of a page before a closed one
 *   whole pages (poolbig.c)  everything larger
 *
 * Each block has a record outside of the memory a driver can overrun by accident; the page database leads from an
 * address to it. Blocks of paged pool are prepared and checked through the linear view, which is always open, so the
 * pool itself never faults.
 */
#pragma once

#include "mm/page.h"

typedef enum _EX_BLOCK_STATE {
    ExBlockFresh, /* its memory was never handed out */
    ExBlockLive,
    ExBlockFreed,
} EX_BLOCK_STATE;

/* Which set of slabs. A driver's overrun never reaches what the kernel keeps for itself. */
typedef enum _EX_POOL_KIND { ExPoolNonPaged, ExPoolPaged, ExPoolKernel, ExPoolKinds } EX_POOL_KIND;

#define EX_BLOCK_EXECUTABLE 1
#define EX_BLOCK_GUARDED 2 /* whole pages with a closed one behind */
#define EX_BLOCK_PLACED 4  /* contiguous memory: no block for ExFreePool */
#define EX_BLOCK_TRACKED 8 /* in a slab */

typedef struct _EX_BLOCK {
    ULONG Tag;
    ULONG Bytes;
    ULONG Stack;    /* allocated at; 0 = by the kernel for itself */
    ULONG Sequence; /* number among the drivers' blocks, from 1 */
    UINT64 FreedAt; /* a stack id, or (above 4 GiB) only the return address; 0 = not freed */
    UINT64 Address; /* as the driver knows it */
    struct _EX_BLOCK *Next;
    UCHAR State; /* EX_BLOCK_STATE */
    UCHAR Kind;  /* EX_POOL_KIND */
    UCHAR Flags;
    UCHAR Class; /* tracked: size class */
    union {
        ULONG Pages; /* whole pages: their number, without the guard */
        ULONG Shift; /* tracked: bytes the block was moved up to be cache aligned */
    };
} EX_BLOCK, *PEX_BLOCK;

typedef struct _EX_QUEUE {
    PEX_BLOCK Head, Tail;
    ULONG Count;
} EX_QUEUE;

static inline VOID ExpEnqueue(EX_QUEUE *Queue, PEX_BLOCK Block)
{
    Block->Next = NULL;
    if (Queue->Head)
        Queue->Tail->Next = Block;
    else
        Queue->Head = Block;
    Queue->Tail = Block;
    Queue->Count++;
}

static inline PEX_BLOCK ExpDequeue(EX_QUEUE *Queue)
{
    PEX_BLOCK Block = Queue->Head;

    if (Block) {
        Queue->Head = Block->Next;
        Queue->Count--;
    }
    return Block;
}

/* Bytes that no driver writes by accident; as pointers they are not canonical. */
#define EX_FILL_ALLOCATED 0xACACACACACACACACull
#define EX_FILL_FREED 0xDFDFDFDFDFDFDFDFull
#define EX_FILL_ZONE 0xB5B5B5B5B5B5B5B5ull
#define EX_ZONE 16ull

#define EX_SMALL_MAXIMUM (DOOR_PAGE - 2 * EX_ZONE) /* larger blocks begin on a page */

typedef struct _EX_REQUEST {
    SIZE_T Bytes;
    ULONG Tag;
    ULONG Stack;
    UCHAR Kind;
    BOOLEAN Zero, Executable, CacheAligned, Special;
    const MI_PLACE *Place; /* whole pages at such addresses; NULL: as it comes */
} EX_REQUEST;

/* Where Address can be read and written whatever the view's state. */
static inline PUCHAR ExpLinear(UINT64 Address)
{
    return (PUCHAR)(MiIsPagedView(Address) ? Address - DOOR_PAGED_BASE + DOOR_LINEAR_BASE : Address);
}

/* Patterns of any length and alignment; inline, for most calls are for a few words. */
typedef UINT64 __attribute__((aligned(1), may_alias)) EX_WORD;
typedef UINT64 __attribute__((vector_size(16), aligned(1), may_alias)) EX_WORDS;

static inline VOID ExpFill(PUCHAR At, UINT64 Bytes, UINT64 Pattern)
{
    UINT64 i = 0;

    for (; i + 16 <= Bytes; i += 16)
        *(EX_WORDS *)(At + i) = (EX_WORDS){Pattern, Pattern};
    for (; i + 8 <= Bytes; i += 8)
        *(EX_WORD *)(At + i) = Pattern;
    for (; i < Bytes; i++)
        At[i] = (UCHAR)Pattern;
}

/* The first byte of [At, At + Bytes) that has not the pattern; NULL if all have. */
static inline PUCHAR ExpCheck(PUCHAR At, UINT64 Bytes, UINT64 Pattern)
{
    UINT64 i = 0;

    for (; i + 32 <= Bytes; i += 32) {
        const EX_WORD *Word = (const EX_WORD *)(At + i);
        if ((Word[0] ^ Pattern) | (Word[1] ^ Pattern) | (Word[2] ^ Pattern) | (Word[3] ^ Pattern))
            break;
    }
    while (i + 8 <= Bytes && *(EX_WORD *)(At + i) == Pattern)
        i += 8;
    for (; i < Bytes; i++)
        if (At[i] != (UCHAR)Pattern)
            return At + i;
    return NULL;
}

/* What the exported routines do, for a stack they have captured. */
PVOID ExpAllocateForDriver(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag, BOOLEAN Zero, ULONG Stack, PVOID Caller);
VOID ExpFreeForDriver(UINT64 Address, ULONG Tag, PVOID Caller, ULONG Stack);
/* Contiguous memory, whole pages. Free: FALSE if Address is no such block or Tag is not its tag. */
PVOID ExpAllocatePlaced(SIZE_T Bytes, ULONG Tag, const MI_PLACE *Place, ULONG Stack);
BOOLEAN ExpFreePlaced(UINT64 Address, ULONG Tag, PVOID Caller, ULONG Stack);
/* With special pool a free costs a system call anyway, and the whole stack is kept; else only its top. */
#define ExpFreerStack() (KiDoor->special_pool ? VfCaptureStack() : 0)

/* Each returns NULL when there is no memory. Free is called for a live block whose zones were checked. */
VOID ExpSlabInitialize(VOID);
PEX_BLOCK ExpSpecialAllocate(const EX_REQUEST *Request);
VOID ExpSpecialFree(PEX_BLOCK Block);
PEX_BLOCK ExpBigAllocate(const EX_REQUEST *Request);
VOID ExpBigFree(PEX_BLOCK Block);
/* Give back what is only kept for later; TRUE if anything was. */
BOOLEAN ExpSlabTrim(VOID);
BOOLEAN ExpBigTrim(VOID);

/* The record that Address belongs to: inside a block, its zones, its slack or its guard. */
PEX_BLOCK ExpBlockOf(UINT64 Address);

/* All live blocks, in no particular order but always the same. */
VOID ExpSlabEnumerate(VOID (*Visit)(PEX_BLOCK Block, PVOID Context), PVOID Context);
VOID ExpSpecialEnumerate(VOID (*Visit)(PEX_BLOCK Block, PVOID Context), PVOID Context);
VOID ExpBigEnumerate(VOID (*Visit)(PEX_BLOCK Block, PVOID Context), PVOID Context);

/* The first damaged byte around a live block, NULL if it is whole. */
PUCHAR ExpDamageOf(PEX_BLOCK Block);

/* poolreport.c: findings. */
VOID ExpReportDamage(PEX_BLOCK Block, PUCHAR At);
VOID ExpReportStaleWrite(PEX_BLOCK Block, PUCHAR At);
VOID ExpReportBadFree(UINT64 Address);
VOID ExpReportLocked(PEX_BLOCK Block);
VOID ExpReportDoubleFree(PEX_BLOCK Block);
VOID ExpReportWrongTag(PEX_BLOCK Block, ULONG Tag);
VOID ExpReportRequest(PCSTR Rule, ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4, PCSTR Format, ...);
ULONG ExpNameBlock(PEX_BLOCK Block, PCHAR Buffer, ULONG Bytes);
ULONG ExpFreedStack(PEX_BLOCK Block);
