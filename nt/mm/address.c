/*
 * Addresses: what lies behind a virtual one, and second views of physical pages (for MDLs and device memory).
 *
 * Mappings live in a window of 4 GiB of address space that is gone through in a circle, each followed by a page that
 * stays closed. An address that was unmapped is therefore not valid again soon, and its use can be named. One word per
 * page says what is mapped there: the machine's page table for this range.
 *
 * Making and unmaking a large view costs more than copying what it shows. So such a view of pages in one piece is only closed
 * when it is unmapped, and opened when the same pages are wanted once more; but not the one that was closed last, so that
 * the address of the request before stays invalid during the next.
 */
#include "nt.h"
#include "mm/space.h"

#define MI_MAP_PAGES (1ull << 20)
#define MI_LEAF_PAGES 512ull
#define MI_MAPPED 1ull
#define MI_WAS_MAPPED 2ull
#define MI_KEPT 4ull /* closed, see MI_VIEW */

#define MI_VIEW_LEAST 16 /* pages of a view that is kept */
#define MI_VIEWS 128
#define MI_VIEW_PAGES 0x8000ull /* of all that are kept */

typedef struct _MI_VIEW {
    UINT64 Physical, First, Count; /* the second: its place in the window, in pages. Count 0 = unused */
    UINT64 Closed;                 /* grows; 0 = it is open */
    ULONG Protection;
} MI_VIEW, *PMI_VIEW;

static MI_VIEW MiViews[MI_VIEWS];
static UINT64 MiViewPages, MiViewsClosed;

static UINT64 *MiMapLeaf[MI_MAP_PAGES / MI_LEAF_PAGES];
static UINT64 MiMapNext;

static UINT64 *MiMapEntry(UINT64 Page)
{
    UINT64 *Leaf = MiMapLeaf[Page / MI_LEAF_PAGES];
    return Leaf ? &Leaf[Page % MI_LEAF_PAGES] : NULL;
}

UINT64 MiFreeMappingPages(PUINT64 All)
{
    UINT64 Free = 0;

    for (UINT64 Page = 0; Page < MI_MAP_PAGES; Page++) {
        UINT64 *Entry = MiMapEntry(Page);
        Free += !Entry || !(*Entry & (MI_MAPPED | MI_KEPT));
    }
    *All = MI_MAP_PAGES;
    return Free;
}

/* Count pages, and a closed one on either side of them, that hold no mapping; FALSE if there are none. */
static BOOLEAN MiReserveMapping(UINT64 Count, UINT64 *First)
{
    UINT64 Start = MiMapNext, Lead = 0, Run = 0,
           Looked = 0; /* Lead: 1 behind a mapping, whose closed page comes first */

    if (Count + 1 > MI_MAP_PAGES)
        return FALSE;
    for (; Looked <= 2 * MI_MAP_PAGES && Run <= Count + Lead; Looked++) {
        UINT64 Page = Start + Run;
        UINT64 *Entry;
        if (Page >= MI_MAP_PAGES) {
            Start = Lead = Run = 0;
            continue;
        }
        Entry = MiMapEntry(Page);
        if (Entry && (*Entry & (MI_MAPPED | MI_KEPT))) {
            Start = Page + 1;
            Lead = 1;
            Run = 0;
        } else {
            Run++;
        }
    }
    if (Run <= Count + Lead)
        return FALSE;
    Start += Lead;
    for (UINT64 Page = Start; Page <= Start + Count; Page++) {
        if (!MiMapLeaf[Page / MI_LEAF_PAGES]) {
            UINT64 Leaf = MiAllocatePages(1);
            if (!Leaf)
                return FALSE;
            MiMapLeaf[Page / MI_LEAF_PAGES] = MiLinear(Leaf);
        }
        *MiMapEntry(Page) = 0;
    }
    MiMapNext = Start + Count + 1;
    *First = Start;
    return TRUE;
}

/* ---- Views that are kept ----------------------------------------------------------------------------------------- */

static VOID MiMarkMapping(UINT64 First, UINT64 Count, UINT64 Physical, UINT64 Bits)
{
    for (UINT64 i = 0; i < Count; i++)
        *MiMapEntry(First + i) = (Physical ? Physical + i * DOOR_PAGE : 0) | Bits;
}

static VOID MiForgetView(PMI_VIEW View)
{
    if (View->Closed) {
        MiMarkMapping(View->First, View->Count, 0, MI_WAS_MAPPED);
        KiDoor->unmap(DOOR_MAPPING_BASE + View->First * DOOR_PAGE, View->Count * DOOR_PAGE);
    }
    MiViewPages -= View->Count;
    *View = (MI_VIEW){0};
}

VOID MiForgetViews(UINT64 Physical, UINT64 Bytes)
{
    for (PMI_VIEW View = MiViews; View < MiViews + MI_VIEWS; View++)
        if (View->Count && View->Physical - Physical < Bytes)
            MiForgetView(View);
}

/* Of these pages: the one that has been closed longest, but not the only closed one. */
static PVOID MiReopenView(UINT64 Physical, UINT64 Count, ULONG Protection)
{
    PMI_VIEW Oldest = NULL;
    ULONG Closed = 0;

    for (PMI_VIEW View = MiViews; View < MiViews + MI_VIEWS; View++) {
        if (View->Physical != Physical || View->Count != Count || !View->Closed || View->Protection != Protection)
            continue;
        Closed++;
        if (!Oldest || View->Closed < Oldest->Closed)
            Oldest = View;
    }
    if (Closed < 2)
        return NULL;
    Oldest->Closed = 0;
    MiMarkMapping(Oldest->First, Count, Physical, MI_MAPPED);
    MiProtect(DOOR_MAPPING_BASE + Oldest->First * DOOR_PAGE, Count * DOOR_PAGE, Protection);
    return (PVOID)(DOOR_MAPPING_BASE + Oldest->First * DOOR_PAGE);
}

/* Is there room to keep one more? The one closed longest goes for it. */
static VOID MiKeepView(UINT64 Physical, UINT64 First, UINT64 Count, ULONG Protection)
{
    PMI_VIEW Free, Oldest;

    if (Count < MI_VIEW_LEAST || Count > MI_VIEW_PAGES / 4)
        return;
    do {
        Free = Oldest = NULL;
        for (PMI_VIEW View = MiViews; View < MiViews + MI_VIEWS; View++) {
            if (!View->Count)
                Free = View;
            else if (View->Closed && (!Oldest || View->Closed < Oldest->Closed))
                Oldest = View;
        }
        if (Free && MiViewPages + Count <= MI_VIEW_PAGES)
            break;
        if (!Oldest)
            return;
        MiForgetView(Oldest);
    } while (TRUE);
    *Free = (MI_VIEW){Physical, First, Count, 0, Protection};
    MiViewPages += Count;
}

static BOOLEAN MiCloseView(UINT64 First, UINT64 Count)
{
    for (PMI_VIEW View = MiViews; View < MiViews + MI_VIEWS; View++) {
        if (View->First != First || View->Count != Count || View->Closed)
            continue;
        MiMarkMapping(First, Count, 0, MI_WAS_MAPPED | MI_KEPT);
        MiProtect(DOOR_MAPPING_BASE + First * DOOR_PAGE, Count * DOOR_PAGE, DOOR_NONE);
        View->Closed = ++MiViewsClosed;
        return TRUE;
    }
    return FALSE;
}

/* ---- Mapping --------------------------------------------------------------------------------------------------------
 */

/* Of memory; a device's is another matter. */
static BOOLEAN MiIsOnePiece(const PFN_NUMBER *Frames, UINT64 Count)
{
    if (Frames[0] >= MiPageCount && Frames[0] * DOOR_PAGE < DOOR_SHARE_PA)
        return FALSE;
    for (UINT64 i = 1; i < Count; i++)
        if (Frames[i] != Frames[0] + i)
            return FALSE;
    return TRUE;
}

PVOID MiMapFrames(const PFN_NUMBER *Frames, UINT64 Count, ULONG Protection)
{
    BOOLEAN Keep = Count >= MI_VIEW_LEAST && MiIsOnePiece(Frames, Count);
    PVOID Again = Keep ? MiReopenView(Frames[0] * DOOR_PAGE, Count, Protection) : NULL;
    UINT64 First, Va;

    if (Again)
        return Again;
    if (!Count || !MiReserveMapping(Count, &First))
        return NULL;
    Va = DOOR_MAPPING_BASE + First * DOOR_PAGE;
    for (UINT64 i = 0; i < Count;) {
        UINT64 Run = 1;
        while (i + Run < Count && Frames[i + Run] == Frames[i] + Run)
            Run++;
        if (KiDoor->map(Va + i * DOOR_PAGE, Frames[i] * DOOR_PAGE, Run * DOOR_PAGE, Protection) != DOOR_OK) {
            if (i)
                KiDoor->unmap(Va, i * DOOR_PAGE);
            return NULL;
        }
        i += Run;
    }
    for (UINT64 i = 0; i < Count; i++)
        *MiMapEntry(First + i) = Frames[i] * DOOR_PAGE | MI_MAPPED;
    if (Keep)
        MiKeepView(Frames[0] * DOOR_PAGE, First, Count, Protection);
    return (PVOID)Va;
}

static BOOLEAN MiIsMapped(UINT64 Page)
{
    UINT64 *Entry = Page < MI_MAP_PAGES ? MiMapEntry(Page) : NULL;

    return Entry && (*Entry & MI_MAPPED);
}

/* FALSE if this is not a whole mapping: between two of them a page is closed. */
BOOLEAN MiUnmapFrames(PVOID Va, UINT64 Count)
{
    UINT64 First = ((UINT64)Va - DOOR_MAPPING_BASE) / DOOR_PAGE;

    if (!Count || MiIsMapped(First - 1) || MiIsMapped(First + Count))
        return FALSE;
    for (UINT64 i = 0; i < Count; i++)
        if (!MiIsMapped(First + i))
            return FALSE;
    if (MiCloseView(First, Count))
        return TRUE;
    MiMarkMapping(First, Count, 0, MI_WAS_MAPPED);
    KiDoor->unmap((UINT64)Va & ~(DOOR_PAGE - 1), Count * DOOR_PAGE);
    return TRUE;
}

UINT64 MiMappedPhysical(UINT64 Address, BOOLEAN *Was)
{
    UINT64 Page = (Address - DOOR_MAPPING_BASE) / DOOR_PAGE;
    UINT64 *Entry = Page < MI_MAP_PAGES ? MiMapEntry(Page) : NULL;

    *Was = Entry && (*Entry & MI_WAS_MAPPED);
    return Entry && (*Entry & MI_MAPPED) ? (*Entry & ~(DOOR_PAGE - 1)) + (Address & (DOOR_PAGE - 1)) : (UINT64)-1;
}

/* Of memory that is in the current process, and has been touched. */
static UINT64 MiUserPhysical(UINT64 Address)
{
    PMI_SPACE Space = MiCurrentSpace();
    PMI_VAD Vad = Space ? MiFindVad(Space, Address) : NULL;
    UINT64 *Entry = Vad ? MiEntry(Vad, Address, FALSE) : NULL;

    return Entry && MI_ENTRY_PHYSICAL(*Entry) ? MI_ENTRY_PHYSICAL(*Entry) + (Address & (DOOR_PAGE - 1)) : (UINT64)-1;
}

UINT64 MiPhysical(PVOID Va)
{
    UINT64 Address = (UINT64)Va, Physical;
    BOOLEAN Was;

    if (MiPageOfView(Address, &Physical))
        return Physical;
    if (Address < DOOR_USER_END)
        return MiUserPhysical(Address);
    if (MiIsStack(Address))
        return MiIsStackPage(Address) ? DOOR_STACK_PA + (Address - DOOR_STACK_BASE) : (UINT64)-1;
    if (Address - DOOR_IMAGE_BASE < DOOR_IMAGE_END - DOOR_IMAGE_BASE) {
        PMI_IMAGE Image = MmImageOf(Address);
        const struct door_section *Section = Image ? MiSectionOf(Image, Address) : NULL;
        if (!Image || (Image->InitDiscarded && Section && MiIsInitSection(Section)))
            return (UINT64)-1;
        return Image->Physical + (Address - Image->Base);
    }
    if (Address - DOOR_PROCESSOR_BASE < KiDoor->processors * DOOR_PROCESSOR_BYTES)
        return KiDoor->ram_used - KiDoor->processors * DOOR_PROCESSOR_BYTES + (Address - DOOR_PROCESSOR_BASE);
    return MiMappedPhysical(Address, &Was);
}

/* ---- Routines of the public interface ---------------------------------------------------------------------------- */

PHYSICAL_ADDRESS NTAPI MmGetPhysicalAddress(PVOID BaseAddress)
{
    UINT64 Physical = MiPhysical(BaseAddress);
    return (PHYSICAL_ADDRESS){.QuadPart = Physical == (UINT64)-1 ? 0 : (LONGLONG)Physical};
}

PVOID NTAPI MmGetVirtualForPhysical(PHYSICAL_ADDRESS PhysicalAddress)
{
    UINT64 Physical = (UINT64)PhysicalAddress.QuadPart;

    if (Physical >= DOOR_SHARE_PA) /* a process's, at no address of the kernel's */
        return NULL;
    if (Physical >= DOOR_STACK_PA)
        return (PVOID)(DOOR_STACK_BASE + (Physical - DOOR_STACK_PA));
    if (Physical >> MI_PAGE_SHIFT >= MiPageCount)
        return NULL;
    if (MiPageOf(Physical)->Use == MiUseImage) {
        PMI_IMAGE Image = MiPageOf(Physical)->Owner;
        return (PVOID)(Image->Base + (Physical - Image->Physical));
    }
    return (PVOID)(Physical + (MiPageOf(Physical)->Flags & MI_PAGE_PAGED ? DOOR_PAGED_BASE : DOOR_LINEAR_BASE));
}

/* docs: MmIsAddressValid: TRUE if a touch now, at this level, does not fault. Pageable memory counts as present below
 * DISPATCH_LEVEL, as it is after the touch. */
BOOLEAN NTAPI MmIsAddressValid(PVOID VirtualAddress)
{
    UINT64 Address = (UINT64)VirtualAddress, Physical, Bytes;
    PMI_PAGE Page = MiPageOfView(Address, &Physical);

    if (Page) {
        if (Page->Use == MiUseGuard || (Page->Flags & MI_PAGE_CLOSED))
            return FALSE;
        if (!MiIsPagedView(Address))
            return TRUE;
        return (Page->Flags & MI_PAGE_PAGED) && (KeGetCurrentIrql() < DISPATCH_LEVEL || MiIsWindowOpen(Address));
    }
    if (Address < DOOR_USER_END)
        return MiCurrentSpace() && MiIsCommitted(MiCurrentSpace(), Address) &&
               (KeGetCurrentIrql() < DISPATCH_LEVEL || MiIsWindowOpen(Address));
    if (MiPhysical(VirtualAddress) == (UINT64)-1)
        return Address - DOOR_SHARED_DATA < DOOR_PAGE;
    return !MiPageableOf(Address, &Bytes) || KeGetCurrentIrql() < DISPATCH_LEVEL || MiIsWindowOpen(Address);
}

BOOLEAN NTAPI MmIsNonPagedSystemAddressValid(PVOID VirtualAddress)
{
    UINT64 Bytes;

    return !MiIsPagedView((UINT64)VirtualAddress) && !MiPageableOf((UINT64)VirtualAddress, &Bytes) &&
           MmIsAddressValid(VirtualAddress);
}

/* docs: MmMapIoSpace. Device memory, or RAM that is taken, as tools do. */
PVOID NTAPI MmMapIoSpace(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType)
{
    UINT64 Physical = (UINT64)PhysicalAddress.QuadPart, Offset = Physical & (DOOR_PAGE - 1);
    UINT64 Count = (Offset + NumberOfBytes + DOOR_PAGE - 1) / DOOR_PAGE, First = Physical / DOOR_PAGE;
    PFN_NUMBER *Frames;
    PVOID Va;

    if (!NumberOfBytes)
        return NULL;
    if (!HalIsDeviceMemory(Physical, NumberOfBytes)) {
        if (Count > MiPageCount || First > MiPageCount - Count)
            return NULL;
        for (UINT64 i = 0; i < Count; i++)
            if (MiPages[First + i].Use == MiUseNone)
                return NULL;
    }
    if ((Frames = ExpTryAllocate(Count * sizeof(*Frames), 'pImM')) == NULL)
        return NULL;
    for (UINT64 i = 0; i < Count; i++)
        Frames[i] = (PFN_NUMBER)(First + i);
    Va = MiMapFrames(Frames, Count, DOOR_READ | DOOR_WRITE);
    ExpFree(Frames);
    return Va ? (PUCHAR)Va + Offset : NULL;
}

PVOID NTAPI MmMapIoSpaceEx(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, ULONG Protect)
{
    return MmMapIoSpace(PhysicalAddress, NumberOfBytes, Protect & PAGE_NOCACHE ? MmNonCached : MmCached);
}

VOID NTAPI MmUnmapIoSpace(PVOID BaseAddress, SIZE_T NumberOfBytes)
{
    UINT64 Offset = (UINT64)BaseAddress & (DOOR_PAGE - 1);
    UINT64 Count = (Offset + NumberOfBytes + DOOR_PAGE - 1) / DOOR_PAGE;

    if (MiUnmapFrames((PUCHAR)BaseAddress - Offset, Count))
        return;
    VfFinding("mm.bad-unmap", 0x1A, 0x1234, (UINT64)BaseAddress, NumberOfBytes, 0); /* MEMORY_MANAGEMENT */
    VfSubject("MmUnmapIoSpace");
    VfText("MmUnmapIoSpace called for %llu bytes at 0x%llx, which are no mapping, or not the whole of one",
           NumberOfBytes, (UINT64)BaseAddress);
    VfNoteCaller(NULL);
    VfCommit();
}

/* docs: MmCopyMemory. Never faults: what is not there ends the copy. */
NTSTATUS NTAPI MmCopyMemory(PVOID TargetAddress, MM_COPY_ADDRESS SourceAddress, SIZE_T NumberOfBytes, ULONG Flags,
                            PSIZE_T NumberOfBytesTransferred)
{
    PUCHAR Target = TargetAddress;
    SIZE_T Done = 0;

    *NumberOfBytesTransferred = 0;
    if (Flags != MM_COPY_MEMORY_PHYSICAL && Flags != MM_COPY_MEMORY_VIRTUAL)
        return STATUS_INVALID_PARAMETER;
    while (Done < NumberOfBytes) {
        UINT64 At = (Flags == MM_COPY_MEMORY_PHYSICAL ? (UINT64)SourceAddress.PhysicalAddress.QuadPart
                                                      : (UINT64)SourceAddress.VirtualAddress) +
                    Done;
        SIZE_T Run = DOOR_PAGE - (At & (DOOR_PAGE - 1));
        if (Run > NumberOfBytes - Done)
            Run = NumberOfBytes - Done;
        if (Flags == MM_COPY_MEMORY_VIRTUAL) {
            if (!MmIsAddressValid((PVOID)At))
                break;
        } else {
            if (At >> MI_PAGE_SHIFT >= MiPageCount || (MiPageOf(At)->Flags & MI_PAGE_CLOSED) ||
                MiPageOf(At)->Use == MiUseGuard)
                break;
            At += DOOR_LINEAR_BASE;
        }
        __movsb(Target + Done, (const UCHAR *)At, Run);
        Done += Run;
    }
    *NumberOfBytesTransferred = Done;
    return Done == NumberOfBytes ? STATUS_SUCCESS : STATUS_PARTIAL_COPY;
}

BOOLEAN NTAPI MmIsThisAnNtAsSystem(VOID)
{
    return FALSE; /* a workstation */
}

MM_SYSTEMSIZE NTAPI MmQuerySystemSize(VOID)
{
    return KiDoor->ram_bytes >= (1ull << 30) ? MmLargeSystem : MmMediumSystem;
}
