/*
 * Lookaside lists. Drivers take from and give to them inline, by the SLIST and the counters in the list's head, and
 * call its allocate and free routines when the list is empty or full; only the beginning and the end are calls to us.
 * (docs: ExInitializeNPagedLookasideList, ExInitializeLookasideListEx)
 *
 * A list keeps up to four blocks, with which Windows too begins. DIFFERS: Windows adjusts that figure to the load.
 *
 * The kernel keeps each list in its own tables until it is deleted, hence the verifier is told.
 */
#include "nt.h"
#include "ex/poolp.h"

#define EX_LOOKASIDE_DEPTH 4

C_ASSERT(sizeof(NPAGED_LOOKASIDE_LIST) == 128 && sizeof(PAGED_LOOKASIDE_LIST) == 128);
C_ASSERT(sizeof(LOOKASIDE_LIST_EX) == 96);

static VOID ExpCheckNewList(PVOID List, SIZE_T Size)
{
    ULONG Before = VfTrackedStack(List);

    if (VfIsTracked(List)) {
        VfFinding("object.reinitialized-in-use", 0xC4, 0xCA, (UINT64)List, 0, 0);
        VfSubject("lookaside list");
        VfText("a lookaside list was initialised that is in use already");
        VfNoteCaller(NULL);
        VfNote(DOOR_NOTE_OBJECT, Before, List, NULL, "The lookaside list %%o was initialised before at:");
        VfCommit();
    }
    if (Size < LOOKASIDE_MINIMUM_BLOCK_SIZE) {
        VfFinding("lookaside.small-block", 0xC4, 0xCD, (UINT64)List, Size, LOOKASIDE_MINIMUM_BLOCK_SIZE);
        VfSubject("lookaside list");
        VfText("a lookaside list of blocks of %u bytes; a block must have room for a list entry", (ULONG)Size);
        VfNoteCaller(NULL);
        VfCommit();
    }
}

static BOOLEAN ExpCheckDeadList(PVOID List)
{
    if (VfIsTracked(List)) {
        VfUntrack(List, VfLookaside);
        return TRUE;
    }
    VfFinding("object.not-initialized", 0xC4, 0xCB, (UINT64)List, 0, 0);
    VfSubject("lookaside list");
    VfText("a lookaside list was deleted that is not initialised, or for the second time");
    VfNoteCaller(NULL);
    VfCommit();
    return FALSE;
}

static VOID ExpFillList(GENERAL_LOOKASIDE_POOL *List, POOL_TYPE Type, SIZE_T Size, ULONG Tag)
{
    __stosb((PUCHAR)List, 0, sizeof(*List));
    List->Depth = EX_LOOKASIDE_DEPTH;
    List->MaximumDepth = EX_MAXIMUM_LOOKASIDE_DEPTH_BASE;
    List->Type = Type;
    List->Tag = Tag;
    List->Size = Size < LOOKASIDE_MINIMUM_BLOCK_SIZE ? LOOKASIDE_MINIMUM_BLOCK_SIZE : (ULONG)Size;
    InitializeListHead(&List->ListEntry);
}

VOID NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                           PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    ULONG Type = NonPagedPool | (Flags & (POOL_NX_ALLOCATION | POOL_RAISE_IF_ALLOCATION_FAILURE));

    ExpCheckNewList(Lookaside, Size);
    ExpFillList((GENERAL_LOOKASIDE_POOL *)&Lookaside->L, (POOL_TYPE)Type, Size, Tag);
    Lookaside->L.Allocate = Allocate ? Allocate : ExAllocatePoolWithTag;
    Lookaside->L.Free = Free ? Free : ExFreePool;
    VfTrack(Lookaside, sizeof(*Lookaside), VfLookaside, NULL, VfCaptureStack());
}

VOID NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                          PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    ULONG Type = PagedPool | (Flags & (POOL_NX_ALLOCATION | POOL_RAISE_IF_ALLOCATION_FAILURE));

    ExpCheckNewList(Lookaside, Size);
    ExpFillList((GENERAL_LOOKASIDE_POOL *)&Lookaside->L, (POOL_TYPE)Type, Size, Tag);
    Lookaside->L.Allocate = Allocate ? Allocate : ExAllocatePoolWithTag;
    Lookaside->L.Free = Free ? Free : ExFreePool;
    VfTrack(Lookaside, sizeof(*Lookaside), VfLookaside, NULL, VfCaptureStack());
}

static VOID ExpEmptyList(GENERAL_LOOKASIDE *List)
{
    PSLIST_ENTRY Entry;

    while ((Entry = ExpInterlockedPopEntrySList(&List->ListHead)) != NULL)
        List->Free(Entry);
}

VOID NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    if (ExpCheckDeadList(Lookaside))
        ExpEmptyList(&Lookaside->L);
}

VOID NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    if (ExpCheckDeadList(Lookaside))
        ExpEmptyList(&Lookaside->L);
}

/* ---- Lists whose routines get the list ----------------------------------------------------------------------------
 */

static PVOID NTAPI ExpLookasideAllocate(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                        PLOOKASIDE_LIST_EX Lookaside)
{
    PVOID Block =
        ExpAllocateForDriver(PoolType, NumberOfBytes, Tag, FALSE, VfCaptureStack(), __builtin_return_address(0));

    if (!Block && (PoolType & POOL_RAISE_IF_ALLOCATION_FAILURE))
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return Block;
}

static VOID NTAPI ExpLookasideFree(PVOID Buffer, PLOOKASIDE_LIST_EX Lookaside)
{
    ExpFreeForDriver((UINT64)Buffer, 0, __builtin_return_address(0), ExpFreerStack());
}

NTSTATUS NTAPI ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate,
                                           PFREE_FUNCTION_EX Free, POOL_TYPE PoolType, ULONG Flags, SIZE_T Size,
                                           ULONG Tag, USHORT Depth)
{
    ULONG Type = PoolType;

    if (Depth)
        return STATUS_INVALID_PARAMETER_8;
    if ((Flags & ~(EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL | EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE)) ||
        Flags == (EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL | EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE))
        return STATUS_INVALID_PARAMETER_5;
    if (Flags & EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL)
        Type |= POOL_RAISE_IF_ALLOCATION_FAILURE;
    ExpCheckNewList(Lookaside, Size);
    ExpFillList(&Lookaside->L, (POOL_TYPE)Type, Size, Tag);
    Lookaside->L.AllocateEx = Allocate ? Allocate : ExpLookasideAllocate;
    Lookaside->L.FreeEx = Free ? Free : ExpLookasideFree;
    VfTrack(Lookaside, sizeof(*Lookaside), VfLookaside, NULL, VfCaptureStack());
    return STATUS_SUCCESS;
}

VOID NTAPI ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    PSLIST_ENTRY Entry;

    while ((Entry = ExpInterlockedPopEntrySList(&Lookaside->L.ListHead)) != NULL)
        Lookaside->L.FreeEx(Entry, Lookaside);
}

VOID NTAPI ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    if (ExpCheckDeadList(Lookaside))
        ExFlushLookasideListEx(Lookaside);
}
