/* Lookaside lists: nonpaged, paged, own allocation routines, and that freed entries come back. */
#include "check.h"

#define TAG 'kooL'

TEST(nonpaged_list_gives_and_takes_blocks_up_to_dispatch_level)
{
    static NPAGED_LOOKASIDE_LIST List;

    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, 100, TAG, 0);
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);
        PVOID Block[8];

        for (int i = 0; i < 8; i++) {
            Block[i] = ExAllocateFromNPagedLookasideList(&List);
            if (CHECK(Block[i] != NULL)) {
                CHECK_IS((ULONG_PTR)Block[i] & 15, 0);
                RtlFillMemory(Block[i], 100, i);
            }
        }
        for (int i = 0; i < 8; i++) {
            CHECK_IS(((PUCHAR)Block[i])[99], i);
            ExFreeToNPagedLookasideList(&List, Block[i]);
        }
        CHECK_IRQL(Level);
        KeLowerIrql(Old);
    }
    ExDeleteNPagedLookasideList(&List);
}

/* With special pool the list keeps nothing, so that misuse of a freed block shows. */
TEST(a_freed_block_is_given_out_again_if_the_list_keeps_any)
{
    static NPAGED_LOOKASIDE_LIST List;
    PVOID Block, Again;

    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, 64, TAG, 0);
    Block = ExAllocateFromNPagedLookasideList(&List);
    CHECK_IS(List.L.TotalAllocates, 1);
    CHECK_IS(List.L.AllocateMisses, 1);
    ExFreeToNPagedLookasideList(&List, Block);
    Again = ExAllocateFromNPagedLookasideList(&List);
    CHECK_IS(List.L.TotalAllocates, 2);
    CHECK_IS(List.L.AllocateMisses, List.L.Depth ? 1 : 2);
    if (List.L.Depth)
        CHECK(Again == Block);
    ExFreeToNPagedLookasideList(&List, Again);
    ExDeleteNPagedLookasideList(&List);
}

TEST(paged_list_gives_paged_blocks)
{
    static PAGED_LOOKASIDE_LIST List;
    PULONG Block;

    ExInitializePagedLookasideList(&List, NULL, NULL, 0, sizeof(ULONG) * 10, TAG, 0);
    Block = ExAllocateFromPagedLookasideList(&List);
    if (CHECK(Block != NULL)) {
        Block[9] = 77;
        CHECK_IS(Block[9], 77);
        ExFreeToPagedLookasideList(&List, Block);
    }
    ExDeletePagedLookasideList(&List);
    ExInitializePagedLookasideList(&List, NULL, NULL, POOL_NX_ALLOCATION, sizeof(ULONG) * 10, TAG, 0);
    CHECK_IS(List.L.Type, PagedPool | POOL_NX_ALLOCATION);
    Block = ExAllocateFromPagedLookasideList(&List);
    if (CHECK(Block != NULL))
        ExFreeToPagedLookasideList(&List, Block);
    ExDeletePagedLookasideList(&List);
}

static LONG Allocated, Freed;

static PVOID NTAPI OwnAllocate(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag)
{
    Allocated++;
    CHECK_IS(Bytes, 48);
    CHECK_IS(Tag, TAG);
    return ExAllocatePoolWithTag(Type, Bytes, Tag);
}

static VOID NTAPI OwnFree(PVOID Block)
{
    Freed++;
    ExFreePoolWithTag(Block, TAG);
}

TEST(own_routines_are_called)
{
    static NPAGED_LOOKASIDE_LIST List;
    PVOID Block;

    Allocated = Freed = 0;
    ExInitializeNPagedLookasideList(&List, OwnAllocate, OwnFree, 0, 48, TAG, 0);
    Block = ExAllocateFromNPagedLookasideList(&List);
    CHECK_IS(Allocated, 1);
    ExFreeToNPagedLookasideList(&List, Block);
    ExDeleteNPagedLookasideList(&List);
    CHECK_IS(Freed, Allocated);
}

CHECK_DRIVER(T(nonpaged_list_gives_and_takes_blocks_up_to_dispatch_level),
             T(a_freed_block_is_given_out_again_if_the_list_keeps_any), T(paged_list_gives_paged_blocks),
             T(own_routines_are_called))
