/*
 * The address space of a user process: ranges (VADs) that are private memory, views of sections, or pages of an MDL.
 *
 * One word per page says what is there: the physical page, when it has one, and in the low bits its protection. A page
 * gets its memory when it is touched first. The range of addresses [DOOR_USER_BASE, DOOR_USER_END) is closed; a touch
 * below DISPATCH_LEVEL by a thread that is in the process opens a window (user.c), a raise to DISPATCH_LEVEL or a
 * switch to another process closes it. What the kernel itself reads and writes for a service goes by the linear view.
 */
#pragma once

#include "mm/page.h"

#define MI_GRANULARITY 0x10000ull /* where reservations and views begin */

/* A page's word: the physical address, and: */
#define MI_ENTRY_PROTECTION 0xffull /* PAGE_NOACCESS ... PAGE_EXECUTE_WRITECOPY; 0 = not committed */
#define MI_ENTRY_GUARD 0x100ull
#define MI_ENTRY_PRIVATE 0x200ull /* the memory is this range's own, and goes with it */
#define MI_ENTRY_PHYSICAL(Entry) ((Entry) & ~(DOOR_PAGE - 1))

#define MI_LEAF 512ull

struct _MI_SEGMENT;

typedef struct _MI_VAD {
    UINT64 Start, End; /* first: what the tree compares */
    ULONG Type;        /* MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE */
    ULONG Protection;  /* as given when it was made */
    struct _MI_SEGMENT *Segment;
    UINT64 Offset;   /* of Start in the section */
    BOOLEAN OfMdl;   /* the pages are another's (MmMapLockedPagesSpecifyCache) */
    ULONG Secured;   /* MmSecureVirtualMemory */
    ULONG SecuredAs; /* PAGE_READONLY or PAGE_READWRITE must stay possible */
    UINT64 **Leaf;
} MI_VAD, *PMI_VAD;

typedef struct _MI_SPACE {
    RTL_AVL_TABLE Vads;
    PEPROCESS Process;
    UINT64 Low, High; /* where addresses are chosen: from Low, up to High */
    UINT64 First;     /* the process's own part of it, where the search begins */
    UINT64 Committed; /* pages */
    BOOLEAN Gone;
    struct _MI_SHARE *Share; /* with a program of the host: private memory in [First, ShareEnd). NULL = none */
    UINT64 ShareEnd;
} MI_SPACE, *PMI_SPACE;

PMI_SPACE MiCreateSpace(PEPROCESS Process, BOOLEAN Wow64);
VOID MiDeleteSpace(PMI_SPACE Space); /* all memory of the process */
/* The one that shows at this moment; NULL = the System process. */
PMI_SPACE MiCurrentSpace(VOID);

PMI_VAD MiFindVad(PMI_SPACE Space, UINT64 Va);
PMI_VAD MiFirstOverlap(PMI_SPACE Space, UINT64 Start, UINT64 End);
/* The lowest free place of Bytes; 0 = none. Top: no address from here on is used. */
UINT64 MiChoose(PMI_SPACE Space, UINT64 Bytes, UINT64 Top);
/* Below which address, as the services' ZeroBits says it: how many of the uppermost of 32 bits are zero, from 32 on the bits that may
 * be set. */
#define MI_ZERO_BITS 21
static inline UINT64 MiTopOf(ULONG_PTR ZeroBits, UINT64 High)
{
    if (ZeroBits && ZeroBits < 32)
        return 1ull << (32 - ZeroBits);
    return ZeroBits && ZeroBits < High ? ZeroBits + 1 : High;
}
/* Nothing of the range may be in use. NULL = no memory. */
PMI_VAD MiInsertVad(PMI_SPACE Space, UINT64 Start, UINT64 Bytes, ULONG Type, ULONG Protection);
VOID MiRemoveVad(PMI_SPACE Space, PMI_VAD Vad); /* with its pages */
/* The word of a page; NULL = it has none yet (and Make is FALSE, or there is no memory). */
UINT64 *MiEntry(PMI_VAD Vad, UINT64 Va, BOOLEAN Make);
/* Commit, protect (Protection with PAGE_GUARD) or decommit (0) pages of one range. FALSE = no memory. */
BOOLEAN MiSetEntries(PMI_SPACE Space, PMI_VAD Vad, UINT64 Start, UINT64 End, ULONG Protection);
/* Give a page's memory back, if it is the range's own. */
VOID MiDropPage(UINT64 *Entry);

/* user.c: the physical page behind Va, brought in if need be; 0 and *Status if an access of this kind faults. */
UINT64 MiUserPage(PMI_SPACE Space, UINT64 Va, BOOLEAN Write, NTSTATUS *Status);
BOOLEAN MiOpenUser(UINT64 Address, ULONG Error, NTSTATUS *Status);
VOID MiCloseUserRange(PMI_SPACE Space, UINT64 Start, UINT64 End);
ULONG MiDoorProtection(UINT64 Entry);
/* Is there memory at this address in the process? */
BOOLEAN MiIsCommitted(PMI_SPACE Space, UINT64 Va);
/* Is PAGE_* (without modifiers) one of the eight. */
BOOLEAN MiIsProtection(ULONG Protection);
BOOLEAN MiIsValidProtection(ULONG Protect); /* the same with modifiers */
VOID MiFreeUserPage(UINT64 Physical);       /* now, or when its last lock goes */

/* share.c */
NTSTATUS MiOpenShare(PMI_SPACE Space, ULONG Slot);
VOID MiCloseShare(PMI_SPACE Space); /* its memory is given back */
VOID MiTellShare(PMI_SPACE Space, uint64_t *Start, uint64_t *Bytes);
UINT64 MiTakeShared(PMI_SPACE Space, UINT64 Va); /* the page for Va, zero; 0 = no memory, or it is locked */
VOID MiFreeShared(UINT64 Physical);
VOID MiKeepShared(UINT64 Physical); /* it is given back, but locked */
/* Does a page in the range wait for its last lock? The address behind it; 0 = none does. */
UINT64 MiSharedHeld(PMI_SPACE Space, UINT64 Start, UINT64 End);

/* address.c: pages of the window for mappings that hold none. */
UINT64 MiFreeMappingPages(PUINT64 All);

/* locked.c: at the end of a process. */
VOID MmCheckLockedPages(PEPROCESS Process);

/* segment.c */
/* The page at Offset, read if need be; 0 = *Status says why. May wait, so whoever holds a word of a page looks at it
 * anew. */
UINT64 MiSegmentPage(struct _MI_SEGMENT *Segment, UINT64 Offset, BOOLEAN Write, NTSTATUS *Status);
VOID MiSectionUnmapped(struct _MI_SEGMENT *Segment);
