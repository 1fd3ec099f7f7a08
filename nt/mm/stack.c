/*
 * Kernel stacks. One region of 64 KiB slots, mapped in batches by the host, which leaves 24 KiB at the top of each open
 * and guards the rest, so that one thread costs a fraction of a system call. Slots are recycled last in, first out.
 *
 * Freed stacks keep their memory at first, for threads that come and go. When MI_STACK_WARM of them have gathered,
 * their contents are given back, in as few calls as possible, or 100,000 threads that once lived would stay resident.
 *
 * Stack slot s lies at physical address DOOR_STACK_PA + s * DOOR_STACK_SLOT.
 */
#include "nt.h"
#include "mm/page.h"

#define MI_STACK_BATCH 64 /* slots mapped at a time while there are few */
#define MI_STACK_BATCH_MANY 1024
#define MI_STACK_WARM 256 /* free stacks that keep their memory */
#define MI_STACK_LIMIT (1ull << 20)
#define MI_LINKS_PER_PAGE 1024

#define MI_LINK_USED 0xffffffffu
#define MI_LINK_END 0xfffffffeu

static ULONG *MiStackLinks[MI_STACK_LIMIT / MI_LINKS_PER_PAGE]; /* per slot: the next free one, or MI_LINK_USED */
static UINT64 MiStackCount;                                     /* slots mapped */
static ULONG MiColdHead = MI_LINK_END;                          /* free, without memory */
static ULONG MiWarm[MI_STACK_WARM];                             /* free, with memory; the last one goes first */
static ULONG MiWarmCount;

static ULONG *MiStackLink(UINT64 Slot)
{
    return &MiStackLinks[Slot / MI_LINKS_PER_PAGE][Slot % MI_LINKS_PER_PAGE];
}

static BOOLEAN MiGrowStacks(VOID)
{
    UINT64 First = MiStackCount;
    UINT64 Count = First < MI_STACK_BATCH_MANY ? MI_STACK_BATCH : MI_STACK_BATCH_MANY;

    if (First + Count > MI_STACK_LIMIT)
        return FALSE;
    if (!MiStackLinks[First / MI_LINKS_PER_PAGE]) {
        UINT64 Page = MiAllocatePages(1);
        if (!Page)
            return FALSE;
        MiStackLinks[First / MI_LINKS_PER_PAGE] = MiLinear(Page);
    }
    /* The host gave us slot 0, on which the machine began to run: it stays as it is and is never free. */
    if (KiDoor->stacks(First ? First : 1, First ? Count : Count - 1) != DOOR_OK)
        return FALSE;
    MiStackCount += Count;
    if (!First)
        *MiStackLink(0) = MI_LINK_USED;
    for (UINT64 Slot = First + Count; Slot-- > (First ? First : 1);) {
        *MiStackLink(Slot) = MiColdHead;
        MiColdHead = (ULONG)Slot;
    }
    return TRUE;
}

/* Ascending, in place. */
static VOID MiSortWarm(VOID)
{
    for (ULONG Gap = MI_STACK_WARM / 2; Gap; Gap /= 2)
        for (ULONG i = Gap; i < MiWarmCount; i++)
            for (ULONG j = i; j >= Gap && MiWarm[j - Gap] > MiWarm[j]; j -= Gap) {
                ULONG Slot = MiWarm[j];
                MiWarm[j] = MiWarm[j - Gap];
                MiWarm[j - Gap] = Slot;
            }
}

static VOID MiCoolStacks(VOID)
{
    MiSortWarm();
    for (ULONG End = MiWarmCount, Start; End; End = Start) {
        for (Start = End - 1; Start && MiWarm[Start - 1] + 1 == MiWarm[Start]; Start--)
            ;
        KiDoor->discard(DOOR_STACK_PA + MiWarm[Start] * DOOR_STACK_SLOT, (End - Start) * DOOR_STACK_SLOT);
        for (ULONG i = End; i-- > Start;) {
            *MiStackLink(MiWarm[i]) = MiColdHead;
            MiColdHead = MiWarm[i];
        }
    }
    MiWarmCount = 0;
}

BOOLEAN MmCreateKernelStack(UINT64 *Slot)
{
    if (MiWarmCount) {
        *Slot = MiWarm[--MiWarmCount];
    } else {
        if (MiColdHead == MI_LINK_END && !MiGrowStacks())
            return FALSE;
        *Slot = MiColdHead;
        MiColdHead = *MiStackLink(*Slot);
    }
    *MiStackLink(*Slot) = MI_LINK_USED;
    return TRUE;
}

VOID MmDeleteKernelStack(UINT64 Slot)
{
    KI_ASSERT(Slot < MiStackCount && *MiStackLink(Slot) == MI_LINK_USED);
    if (MiWarmCount == MI_STACK_WARM)
        MiCoolStacks();
    *MiStackLink(Slot) = MI_LINK_END; /* free */
    MiWarm[MiWarmCount++] = (ULONG)Slot;
}

/* Is the page at Address an open page of a stack that is in use. */
BOOLEAN MiIsStackPage(UINT64 Address)
{
    UINT64 Slot = (Address - DOOR_STACK_BASE) / DOOR_STACK_SLOT;

    return Slot < MiStackCount && *MiStackLink(Slot) == MI_LINK_USED &&
           MiStackBase(Slot) - Address <= DOOR_STACK_USABLE;
}
