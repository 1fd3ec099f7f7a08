/*
 * Memory that a process shares with a program of the host (door.h: share). Private memory between Start and End of such a
 * process is the file's: a page lies there at the same distance from the beginning as in the address space, so the program finds
 * it without being told. It is taken when it is committed, not when it is touched, for a touch of the program's is not seen here.
 *
 * A page that is locked when the process gives it back stays as it is until it is unlocked; meanwhile no range is made there.
 * When the last page is free and the process has no more memory, the slot goes.
 */
#include "nt.h"
#include "mm/space.h"

#define MI_SHARE_CHUNK 4096ull /* pages whose entries lie together */
#define MI_SHARE_CHUNKS (DOOR_SHARE_BYTES / DOOR_PAGE / MI_SHARE_CHUNK)

typedef struct _MI_SHARE {
    ULONG Slot;
    BOOLEAN Gone;  /* its process has no more memory */
    UINT64 Taken;  /* pages */
    UINT64 Locked; /* of them those that are given back and still locked */
    PMI_PAGE Chunk[MI_SHARE_CHUNKS];
} MI_SHARE, *PMI_SHARE;

static PMI_SHARE MiShares[DOOR_SHARES];

static PMI_SHARE MiShareOf(UINT64 Physical)
{
    return MiShares[(Physical - DOOR_SHARE_PA) / DOOR_SHARE_BYTES];
}

/* The entry of a page that was taken once. */
PMI_PAGE MiSharedPage(UINT64 Physical)
{
    UINT64 Page = (Physical - DOOR_SHARE_PA) % DOOR_SHARE_BYTES / DOOR_PAGE;

    return &MiShareOf(Physical)->Chunk[Page / MI_SHARE_CHUNK][Page % MI_SHARE_CHUNK];
}

NTSTATUS MiOpenShare(PMI_SPACE Space, ULONG Slot)
{
    UINT64 Most = Space->High - Space->First;
    PMI_SHARE Share;

    if (Slot >= DOOR_SHARES || MiShares[Slot] || !(Share = ExpTryAllocate(sizeof(*Share), 'rhSM')))
        return STATUS_INSUFFICIENT_RESOURCES;
    if (KiDoor->share(Slot, TRUE) != DOOR_OK) {
        ExpFree(Share);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Share->Slot = Slot;
    MiShares[Slot] = Space->Share = Share;
    Space->ShareEnd = Space->First + (Most < DOOR_SHARE_BYTES ? Most & ~(MI_GRANULARITY - 1) : DOOR_SHARE_BYTES);
    return STATUS_SUCCESS;
}

static VOID MiLeaveShare(PMI_SHARE Share)
{
    if (!Share->Gone || Share->Taken)
        return;
    for (ULONG i = 0; i < MI_SHARE_CHUNKS; i++)
        if (Share->Chunk[i])
            MiFreePages((UINT64)Share->Chunk[i] - DOOR_LINEAR_BASE, MI_SHARE_CHUNK * sizeof(MI_PAGE) / DOOR_PAGE);
    MiForgetViews(DOOR_SHARE_PA + Share->Slot * DOOR_SHARE_BYTES, DOOR_SHARE_BYTES);
    MiShares[Share->Slot] = NULL;
    KiDoor->share(Share->Slot, FALSE);
    ExpFree(Share);
}

VOID MiCloseShare(PMI_SPACE Space)
{
    PMI_SHARE Share = Space->Share;

    if (!Share)
        return;
    Space->Share = NULL;
    Share->Gone = TRUE;
    MiLeaveShare(Share);
}

VOID MiTellShare(PMI_SPACE Space, uint64_t *Start, uint64_t *Bytes)
{
    *Start = Space->Share ? Space->First : 0;
    *Bytes = Space->Share ? Space->ShareEnd - Space->First : 0;
}

UINT64 MiTakeShared(PMI_SPACE Space, UINT64 Va)
{
    PMI_SHARE Share = Space->Share;
    UINT64 Page = (Va - Space->First) / DOOR_PAGE, Physical = DOOR_SHARE_PA + Share->Slot * DOOR_SHARE_BYTES;
    PMI_PAGE *Chunk = &Share->Chunk[Page / MI_SHARE_CHUNK], Entry;

    Physical += Page * DOOR_PAGE;
    if (!*Chunk) {
        UINT64 Memory = MiAllocatePages(MI_SHARE_CHUNK * sizeof(MI_PAGE) / DOOR_PAGE);
        if (!Memory)
            return 0;
        *Chunk = MiLinear(Memory);
    }
    Entry = MiSharedPage(Physical);
    if (Entry->Use != MiUseNone)
        return 0;
    if (Entry->Flags & MI_PAGE_DIRTY)
        __stosq(MiLinear(Physical), 0, DOOR_PAGE / 8);
    *Entry = (MI_PAGE){.Use = MiUseUser};
    Share->Taken++;
    return Physical;
}

VOID MiFreeShared(UINT64 Physical)
{
    PMI_SHARE Share = MiShareOf(Physical);
    PMI_PAGE Page = MiSharedPage(Physical);

    Share->Locked -= (Page->Flags & MI_PAGE_DYING) != 0;
    *Page = (MI_PAGE){.Use = MiUseNone, .Flags = MI_PAGE_DIRTY};
    Share->Taken--;
    MiLeaveShare(Share);
}

VOID MiKeepShared(UINT64 Physical)
{
    MiSharedPage(Physical)->Flags |= MI_PAGE_DYING;
    MiShareOf(Physical)->Locked++;
}

UINT64 MiSharedHeld(PMI_SPACE Space, UINT64 Start, UINT64 End)
{
    PMI_SHARE Share = Space->Share;

    if (!Share || !Share->Locked)
        return 0;
    for (UINT64 Va = Start < Space->First ? Space->First : Start; Va < End && Va < Space->ShareEnd; Va += DOOR_PAGE) {
        UINT64 Page = (Va - Space->First) / DOOR_PAGE;
        PMI_PAGE Chunk = Share->Chunk[Page / MI_SHARE_CHUNK];
        if (Chunk && (Chunk[Page % MI_SHARE_CHUNK].Flags & MI_PAGE_DYING))
            return Va + DOOR_PAGE;
    }
    return 0;
}
