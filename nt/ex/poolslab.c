/*
 * The tracked pool: blocks below a page. A slab is 16 pages cut into equal strides, none of which crosses a page
 * boundary; a stride holds 16 bytes of red zone, the block, and 16 to 31 bytes of red zone behind its last byte.
 *
 * Freed blocks are poisoned and wait in a queue of at least EX_QUARANTINE blocks of their size before they serve again;
 * then their poison is looked at. Allocation takes the oldest freed block, or the next unused stride of the newest
 * slab, so an address depends only on the calls made before.
 *
 * What each allocation and free does is in poolslab.h, inline: a few loads and stores, budgeted at 40 ns together with the
 * stack capture. Here is what happens once for many blocks.
 */
#include "nt.h"
#include "ex/poolslab.h"

/* Largest strides that go n times into a page, in steps that waste at most a quarter. */
static const USHORT ExpStride[EX_CLASSES] = {48,  64,  80,  96,  112, 128, 144,  160,  192,  224, 256,
                                             320, 384, 448, 576, 672, 816, 1024, 1360, 2048, 4096};

UCHAR ExpClassOf[DOOR_PAGE / 16 + 1];
EX_CLASS ExpClass[ExPoolKinds][EX_CLASSES];

VOID ExpSlabInitialize(VOID)
{
    ULONG Class = 0;

    for (ULONG i = 0; i <= DOOR_PAGE / 16; i++) {
        if (i * 16 > ExpStride[Class])
            Class++;
        ExpClassOf[i] = (UCHAR)Class;
    }
}

static PEX_SLAB ExpCreateSlab(EX_POOL_KIND Kind, ULONG Class)
{
    /* Aligned to what one window of the pageable view opens. */
    const MI_PLACE Place = {0, ~0ull, EX_SLAB_PAGES, 0};
    ULONG Stride = ExpStride[Class], PerPage = (ULONG)DOOR_PAGE / Stride;
    ULONG Capacity = PerPage * (ULONG)EX_SLAB_PAGES;
    UINT64 RecordPages = (sizeof(EX_SLAB) + Capacity * sizeof(EX_BLOCK) + DOOR_PAGE - 1) / DOOR_PAGE;
    UINT64 Physical = MiAllocatePagesAt(EX_SLAB_PAGES, &Place), Records;
    PEX_SLAB Slab;

    if (!Physical)
        return NULL;
    Records = MiAllocatePages(RecordPages);
    if (!Records) {
        MiFreePages(Physical, EX_SLAB_PAGES);
        return NULL;
    }
    Slab = MiLinear(Records);
    Slab->Base = Physical + (Kind == ExPoolPaged ? DOOR_PAGED_BASE : DOOR_LINEAR_BASE);
    Slab->Physical = Physical;
    Slab->RecordPhysical = Records;
    Slab->RecordPages = (ULONG)RecordPages;
    Slab->Stride = Stride;
    Slab->PerPage = PerPage;
    Slab->Capacity = Capacity;
    Slab->Reciprocal = (1u << 20) / Stride + 1;
    Slab->Kind = (UCHAR)Kind;
    MiSetPages(Physical, EX_SLAB_PAGES, MiUseSlab, Kind == ExPoolPaged ? MI_PAGE_PAGED : 0, Slab);
    Slab->Next = ExpClass[Kind][Class].Slabs;
    ExpClass[Kind][Class].Slabs = Slab;
    return Slab;
}

PEX_BLOCK ExpFreshBlock(EX_POOL_KIND Kind, ULONG Class)
{
    PEX_SLAB Slab = ExpClass[Kind][Class].Slabs;
    PEX_BLOCK Block;
    ULONG Index;

    if (!Slab || Slab->Used == Slab->Capacity)
        Slab = ExpCreateSlab(Kind, Class);
    if (!Slab)
        return NULL;
    Index = Slab->Used++;
    Block = &Slab->Block[Index];
    Block->Kind = (UCHAR)Kind;
    Block->Class = (UCHAR)Class;
    Block->Flags = EX_BLOCK_TRACKED;
    Block->Address = Slab->Base + Index / Slab->PerPage * DOOR_PAGE + Index % Slab->PerPage * Slab->Stride + EX_ZONE;
    return Block;
}

/* Take the freed blocks of slabs without a live one out of the queue, and give those slabs back. */
static BOOLEAN ExpTrimClass(EX_CLASS *Class)
{
    EX_QUEUE Kept = {0};
    PEX_SLAB *Link;
    PEX_BLOCK Block;
    BOOLEAN Any = FALSE;

    for (PEX_SLAB Slab = Class->Slabs; Slab; Slab = Slab->Next)
        Slab->Free = 0;
    for (Block = Class->Freed.Head; Block; Block = Block->Next) {
        UINT64 Physical;
        ((PEX_SLAB)MiPageOfView(Block->Address, &Physical)->Owner)->Free++;
    }
    while ((Block = ExpDequeue(&Class->Freed)) != NULL) {
        UINT64 Physical;
        PEX_SLAB Slab = MiPageOfView(Block->Address, &Physical)->Owner;
        if (Slab->Free != Slab->Used)
            ExpEnqueue(&Kept, Block);
    }
    Class->Freed = Kept;
    for (Link = &Class->Slabs; *Link;) {
        PEX_SLAB Slab = *Link;
        if (Slab->Free != Slab->Used) {
            Link = &Slab->Next;
            continue;
        }
        *Link = Slab->Next;
        if (Slab->Kind == ExPoolPaged)
            MiClosePaged(Slab->Base, EX_SLAB_PAGES * DOOR_PAGE);
        MiFreePages(Slab->Physical, EX_SLAB_PAGES);
        MiFreePages(Slab->RecordPhysical, Slab->RecordPages);
        Any = TRUE;
    }
    return Any;
}

BOOLEAN ExpSlabTrim(VOID)
{
    BOOLEAN Any = FALSE;

    for (ULONG Kind = 0; Kind < ExPoolKinds; Kind++)
        for (ULONG Class = 0; Class < EX_CLASSES; Class++)
            Any |= ExpTrimClass(&ExpClass[Kind][Class]);
    return Any;
}

VOID ExpSlabEnumerate(VOID (*Visit)(PEX_BLOCK Block, PVOID Context), PVOID Context)
{
    for (ULONG Kind = ExPoolNonPaged; Kind <= ExPoolPaged; Kind++)
        for (ULONG Class = 0; Class < EX_CLASSES; Class++)
            for (PEX_SLAB Slab = ExpClass[Kind][Class].Slabs; Slab; Slab = Slab->Next)
                for (ULONG i = 0; i < Slab->Used; i++)
                    if (Slab->Block[i].State == ExBlockLive)
                        Visit(&Slab->Block[i], Context);
}
