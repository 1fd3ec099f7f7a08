/*
 * Physical pages. A bitmap (set = taken), always searched from the lowest address: which page a request gets depends on
 * nothing but the requests before it, and the used part of RAM stays compact, which is what a snapshot copies.
 *
 * Pages are handed out zeroed. RAM that was never used is zero by itself; a freed page is only marked dirty and cleared
 * when it is handed out again, except for large frees, whose memory goes back to the host.
 *
 * Callable at any IRQL up to DISPATCH_LEVEL: nothing here reaches a delivery point or touches pageable memory.
 */
#include "nt.h"
#include "mm/page.h"

#define MI_DISCARD_PAGES 2048 /* a free of at least this many pages gives the memory back to the host */

PMI_PAGE MiPages;
UINT64 MiPageCount;
static UINT64 *MiBitmap;
static UINT64 MiFreeHint; /* no page below is free */
static UINT64 MiFreeCount;

VOID MiProtect(UINT64 Va, UINT64 Bytes, ULONG Protection)
{
    int Error = KiDoor->protect(Va, Bytes, Protection);
    if (Error != DOOR_OK)
        KiInternalError("protect %I64x + %I64x failed: %d", Va, Bytes, Error);
}

/* The first page from Page on whose bit is Taken (0 or 1); Limit if there is none below it. */
static UINT64 MiScan(UINT64 Page, UINT64 Limit, UINT64 Taken)
{
    UINT64 Flip = Taken ? 0 : ~0ull;

    while (Page < Limit) {
        UINT64 Word = (MiBitmap[Page >> 6] ^ Flip) >> (Page & 63);
        if (Word) {
            Page += (UINT64)__builtin_ctzll(Word);
            return Page < Limit ? Page : Limit;
        }
        Page = (Page | 63) + 1;
    }
    return Limit;
}

static VOID MiMark(UINT64 Page, UINT64 Count, BOOLEAN Taken)
{
    while (Count) {
        UINT64 Bit = Page & 63, Run = 64 - Bit < Count ? 64 - Bit : Count;
        UINT64 Mask = (Run == 64 ? ~0ull : (1ull << Run) - 1) << Bit;
        if (Taken)
            MiBitmap[Page >> 6] |= Mask;
        else
            MiBitmap[Page >> 6] &= ~Mask;
        Page += Run;
        Count -= Run;
    }
}

VOID MiSetPages(UINT64 Physical, UINT64 Count, MI_USE Use, UCHAR Flags, PVOID Owner)
{
    PMI_PAGE Page = MiPageOf(Physical);

    for (; Count; Count--, Page++) {
        Page->Use = (UCHAR)Use;
        Page->Flags = Flags;
        Page->Owner = Owner;
    }
}

UINT64 MiAllocatePagesAt(UINT64 Count, const MI_PLACE *Place)
{
    UINT64 High = Place->High < MiPageCount ? Place->High : MiPageCount;
    UINT64 Lowest = MiFreeHint = MiScan(MiFreeHint, MiPageCount, 0);
    UINT64 Page = Place->Low > Lowest ? Place->Low : Lowest;

    if (!Count || Count > MiFreeCount)
        return 0;
    for (;;) {
        Page = (MiScan(Page, High, 0) + Place->Align - 1) & ~(Place->Align - 1);
        if (Page >= High || High - Page < Count)
            return 0;
        if (Place->Boundary && ((Page ^ (Page + Count - 1)) & ~(Place->Boundary - 1))) {
            UINT64 Next = (Page + Place->Boundary) & ~(Place->Boundary - 1);
            if (Count > Place->Boundary)
                return 0;
            Page = Next;
            continue;
        }
        UINT64 Used = MiScan(Page, Page + Count, 1);
        if (Used == Page + Count)
            break;
        Page = Used;
    }
    MiMark(Page, Count, TRUE);
    MiFreeCount -= Count;
    if (Page == Lowest)
        MiFreeHint = Page + Count;
    for (UINT64 i = Page; i < Page + Count; i++) {
        if (MiPages[i].Flags & MI_PAGE_DIRTY)
            __stosq(MiLinear(i << MI_PAGE_SHIFT), 0, DOOR_PAGE / 8);
        MiPages[i] = (MI_PAGE){.Use = MiUseKernel};
    }
    return Page << MI_PAGE_SHIFT;
}

UINT64 MiAllocatePages(UINT64 Count)
{
    return MiAllocatePagesAt(Count, &(MI_PLACE){0, ~0ull, 1, 0});
}

VOID MiFreePages(UINT64 Physical, UINT64 Count)
{
    UINT64 Page = Physical >> MI_PAGE_SHIFT;
    BOOLEAN Discard = Count >= MI_DISCARD_PAGES;

    if (Page + Count > MiPageCount || MiScan(Page, Page + Count, 0) != Page + Count)
        KiInternalError("free of pages %I64x + %I64u that are not taken", Physical, Count);
    for (UINT64 i = Page; i < Page + Count; i++)
        if (MiPages[i].Flags & MI_PAGE_EXECUTABLE)
            MiProtect((UINT64)MiLinear(i << MI_PAGE_SHIFT), DOOR_PAGE, DOOR_READ | DOOR_WRITE);
    if (Discard)
        Discard = KiDoor->discard(Physical, Count << MI_PAGE_SHIFT) == DOOR_OK;
    MiSetPages(Physical, Count, MiUseNone, Discard ? 0 : MI_PAGE_DIRTY, NULL);
    MiMark(Page, Count, FALSE);
    MiFreeCount += Count;
    if (Page < MiFreeHint)
        MiFreeHint = Page;
}

UINT64 MiFreePageCount(VOID)
{
    return MiFreeCount;
}

/* The linear view must be mapped. The database and the bitmap lie right behind the boot images. */
VOID MiInitializePages(VOID)
{
    UINT64 Start = (KiDoor->ram_used + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    UINT64 DatabaseBytes, BitmapBytes, First;

    MiPageCount = KiDoor->ram_bytes >> MI_PAGE_SHIFT;
    DatabaseBytes = (MiPageCount * sizeof(MI_PAGE) + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    BitmapBytes = ((MiPageCount + 63) / 64 * 8 + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    MiPages = MiLinear(Start);
    MiBitmap = MiLinear(Start + DatabaseBytes);
    First = (Start + DatabaseBytes + BitmapBytes) >> MI_PAGE_SHIFT;
    if (First >= MiPageCount)
        KiInternalError("no RAM left behind the boot images");
    MiSetPages(0, First, MiUseBoot, 0, NULL);
    MiMark(0, First, TRUE);
    MiFreeHint = First;
    MiFreeCount = MiPageCount - First;
}
