/*
 * Kernel stacks. One region of 64 KiB slots, mapped in batches by the host, which leaves 24 KiB at the top of each open
 * and guards the rest, so that one thread costs a fraction of a system call. Slots are recycled last in, first out.
 *
 * A few freed stacks keep their memory, for threads that come and go; beyond those the contents are given back, or
 * 100,000 threads that once lived would stay resident.
 *
 * Stack slot s lies at physical address DOOR_STACK_PA + s * DOOR_STACK_SLOT.
 */
#include "nt.h"
#include "mm/page.h"

#define MI_STACK_BATCH 64       /* slots mapped at a time while there are few */
#define MI_STACK_BATCH_MANY 1024
#define MI_STACK_WARM 32        /* free stacks that keep their memory */
#define MI_STACK_LIMIT (1ull << 20)
#define MI_LINKS_PER_PAGE 1024

#define MI_LINK_USED 0xffffffffu
#define MI_LINK_END 0xfffffffeu

static ULONG *MiStackLinks[MI_STACK_LIMIT / MI_LINKS_PER_PAGE]; /* per slot: the next free one, or MI_LINK_USED */
static UINT64 MiStackCount;                                     /* slots mapped */
static ULONG MiWarmHead = MI_LINK_END, MiColdHead = MI_LINK_END;
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

BOOLEAN MmCreateKernelStack(UINT64 *Slot)
{
    ULONG *Head = MiWarmCount ? &MiWarmHead : &MiColdHead;

    if (*Head == MI_LINK_END && !MiGrowStacks())
        return FALSE;
    if (MiWarmCount)
        MiWarmCount--;
    *Slot = *Head;
    *Head = *MiStackLink(*Slot);
    *MiStackLink(*Slot) = MI_LINK_USED;
    return TRUE;
}

VOID MmDeleteKernelStack(UINT64 Slot)
{
    ULONG *Head = &MiWarmHead;

    KI_ASSERT(Slot < MiStackCount && *MiStackLink(Slot) == MI_LINK_USED);
    if (MiWarmCount < MI_STACK_WARM) {
        MiWarmCount++;
    } else {
        Head = &MiColdHead;
        KiDoor->discard(DOOR_STACK_PA + Slot * DOOR_STACK_SLOT, DOOR_STACK_SLOT);
    }
    *MiStackLink(Slot) = *Head;
    *Head = (ULONG)Slot;
}

/* Is the page at Address an open page of a stack that is in use. */
BOOLEAN MiIsStackPage(UINT64 Address)
{
    UINT64 Slot = (Address - DOOR_STACK_BASE) / DOOR_STACK_SLOT;

    return Slot < MiStackCount && *MiStackLink(Slot) == MI_LINK_USED && MiStackBase(Slot) - Address <= DOOR_STACK_USABLE;
}
