/*
 * The page database: one entry for each page of RAM, kept in RAM itself behind the boot images. What a page is used
 * for stands here once, so that a free of pool, a page fault and a report all decide by the same word.
 *
 * Only nt/mm and the pool (nt/ex/pool*.c) include this.
 */
#pragma once

#define MI_PAGE_SHIFT 12

typedef enum _MI_USE {
    MiUseNone,    /* free */
    MiUseBoot,    /* images of the boot, and this database */
    MiUseKernel,  /* allocated with MiAllocatePages, no more is known */
    MiUseImage,   /* Owner: PMI_IMAGE */
    MiUseMdl,     /* MmAllocatePagesForMdl */
    MiUseSlab,    /* pool; Owner: PEX_SLAB */
    MiUseBig,     /* pool, whole pages; Owner: PEX_BLOCK */
    MiUseSpecial, /* special pool's data page; Owner: PEX_BLOCK of the present or the last block in it */
    MiUseGuard,   /* the closed page behind it; Owner: the same */
    MiUseUser,    /* private memory of a process */
    MiUseSection, /* of a section */
} MI_USE;

#define MI_PAGE_PAGED 1      /* belongs to the pageable view */
#define MI_PAGE_DIRTY 2      /* free, and not zero */
#define MI_PAGE_EXECUTABLE 4 /* opened for execution since it was allocated */
#define MI_PAGE_CLOSED 8     /* no access in the linear view */
#define MI_PAGE_DYING 16     /* locked memory of a process that has given it back: free with the last lock */

typedef struct _MI_PAGE {
    UCHAR Use; /* MI_USE */
    UCHAR Flags;
    USHORT Locks; /* MmProbeAndLockPages */
    ULONG Spare;
    PVOID Owner;
} MI_PAGE, *PMI_PAGE;

extern PMI_PAGE MiPages;
extern UINT64 MiPageCount;

PMI_PAGE MiSharedPage(UINT64 Physical); /* share.c */

static inline PMI_PAGE MiPageOf(UINT64 Physical)
{
    if (__builtin_expect(Physical >= DOOR_SHARE_PA, 0))
        return MiSharedPage(Physical);
    return &MiPages[Physical >> MI_PAGE_SHIFT];
}

/* The page behind an address of the linear or the pageable view; NULL for any other address. */
static inline PMI_PAGE MiPageOfView(UINT64 Address, UINT64 *Physical)
{
    UINT64 Bytes = MiPageCount << MI_PAGE_SHIFT;

    *Physical = Address - DOOR_LINEAR_BASE;
    if (*Physical >= Bytes) {
        *Physical = Address - DOOR_PAGED_BASE;
        if (*Physical >= Bytes)
            return NULL;
    }
    return &MiPages[*Physical >> MI_PAGE_SHIFT];
}

static inline BOOLEAN MiIsPagedView(UINT64 Address)
{
    return Address - DOOR_PAGED_BASE < (MiPageCount << MI_PAGE_SHIFT);
}

/* Where the allocator looks, in pages. Boundary 0 = none; Align and Boundary are powers of two. */
typedef struct _MI_PLACE {
    UINT64 Low, High; /* High is exclusive */
    UINT64 Align, Boundary;
} MI_PLACE;

UINT64 MiAllocatePagesAt(UINT64 Count, const MI_PLACE *Place);
VOID MiSetPages(UINT64 Physical, UINT64 Count, MI_USE Use, UCHAR Flags, PVOID Owner);

/* KiDoor->protect that must succeed. */
VOID MiProtect(UINT64 Va, UINT64 Bytes, ULONG Protection);

/* page.c, called once. */
VOID MiInitializePages(VOID);

/* window.c: forget windows into a range of the pageable view and close it. */
VOID MiClosePaged(UINT64 Start, UINT64 Bytes);
/* A pageable range is pinned (MmLockPagable*): its pages stay open at any level. FALSE: no such range. */
BOOLEAN MiPinPageable(UINT64 Start, LONG Delta);
/* The pageable range that holds Address: its start, or 0. */
UINT64 MiPageableOf(UINT64 Address, UINT64 *Bytes);
BOOLEAN MiIsWindowOpen(UINT64 Address);
/* Show physical memory at user addresses until the window is closed. */
VOID MiOpenUserWindow(UINT64 Start, UINT64 End, UINT64 Physical, ULONG Protection);

/* stack.c */
BOOLEAN MiIsStackPage(UINT64 Address);

/* address.c: mappings of physical pages elsewhere (MDLs). */
PVOID MiMapFrames(const PFN_NUMBER *Frames, UINT64 Count, ULONG Protection);
BOOLEAN MiUnmapFrames(PVOID Va, UINT64 Count);
VOID MiForgetViews(UINT64 Physical, UINT64 Bytes); /* of memory that goes */
/* The physical address behind a mapping, or (UINT64)-1; *Was: it is a mapping that was taken away. */
UINT64 MiMappedPhysical(UINT64 Address, BOOLEAN *Was);

/* image.c */
PMI_IMAGE MiUnloadedImageOf(UINT64 Address);
const struct door_section *MiSectionOf(PMI_IMAGE Image, UINT64 Address);
BOOLEAN MiIsInitSection(const struct door_section *Section);
BOOLEAN MiIsPageSection(const struct door_section *Section);
ULONG MiSectionProtection(const struct door_section *Section);
VOID MiInitializeImages(VOID);

/* mdl.c: is any of these pages locked by an MDL. */
BOOLEAN MiAnyLocked(UINT64 Physical, UINT64 Pages);
