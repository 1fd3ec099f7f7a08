/* Pool: alignment and page rules, the kinds of pool, that blocks don't overlap. */
#include "check.h"

#define TAG 'tseT'
#define PAGE 4096

static const POOL_TYPE Types[] = {NonPagedPool, PagedPool, NonPagedPoolNx};

TEST(blocks_are_aligned_to_sixteen)
{
    for (ULONG t = 0; t < ARRAYSIZE(Types); t++) {
        for (SIZE_T Bytes = 1; Bytes < PAGE; Bytes += 61) {
            PVOID Block = ExAllocatePoolWithTag(Types[t], Bytes, TAG);

            if (!CHECK(Block != NULL))
                continue;
            CHECK_IS((ULONG_PTR)Block & 15, 0);
            RtlFillMemory(Block, Bytes, 0xab);
            ExFreePoolWithTag(Block, TAG);
        }
    }
}

TEST(a_page_or_more_begins_on_a_page)
{
    for (ULONG t = 0; t < ARRAYSIZE(Types); t++) {
        for (SIZE_T Bytes = PAGE; Bytes <= 64 * PAGE; Bytes = Bytes * 2 + 1) {
            PUCHAR Block = ExAllocatePoolWithTag(Types[t], Bytes, TAG);

            if (!CHECK(Block != NULL))
                continue;
            CHECK_IS((ULONG_PTR)Block & (PAGE - 1), 0);
            Block[0] = Block[Bytes - 1] = 1;
            ExFreePoolWithTag(Block, TAG);
        }
    }
}

TEST(a_block_of_less_than_a_page_crosses_no_page)
{
    for (SIZE_T Bytes = 16; Bytes <= PAGE - 16; Bytes += 300) {
        PVOID Block[8];

        for (int i = 0; i < 8; i++) {
            Block[i] = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, TAG);
            CHECK_IS((ULONG_PTR)Block[i] / PAGE, ((ULONG_PTR)Block[i] + Bytes - 1) / PAGE);
        }
        for (int i = 0; i < 8; i++)
            ExFreePoolWithTag(Block[i], TAG);
    }
}

TEST(blocks_do_not_overlap)
{
    static PULONG Block[500];

    for (ULONG i = 0; i < 500; i++) {
        Block[i] = ExAllocatePoolWithTag(NonPagedPoolNx, 4 * (1 + i % 97), TAG);
        if (!CHECK(Block[i] != NULL))
            return;
        for (ULONG j = 0; j < 1 + i % 97; j++)
            Block[i][j] = i;
    }
    for (ULONG i = 0; i < 500; i++) {
        BOOLEAN Good = TRUE;

        for (ULONG j = 0; j < 1 + i % 97; j++)
            Good &= Block[i][j] == i;
        CHECK(Good);
        ExFreePoolWithTag(Block[i], TAG);
    }
}

TEST(nonpaged_pool_is_usable_at_dispatch_level)
{
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);
    PULONG Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, TAG);

    if (CHECK(Block != NULL)) {
        Block[15] = 3;
        CHECK_IS(Block[15], 3);
        ExFreePoolWithTag(Block, TAG);
    }
    KeLowerIrql(Old);
}

TEST(paged_pool_keeps_its_contents_across_dispatch_level)
{
    PULONG Block = ExAllocatePoolWithTag(PagedPool, 16 * PAGE, TAG);
    KIRQL Old;

    if (!CHECK(Block != NULL))
        return;
    for (ULONG i = 0; i < 16 * PAGE / 4; i++)
        Block[i] = i * 3;
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    KeLowerIrql(Old);
    for (ULONG i = 0; i < 16 * PAGE / 4; i += 501)
        CHECK_IS(Block[i], i * 3);
    ExFreePoolWithTag(Block, TAG);
}

TEST(plain_free_works_for_tagged_blocks)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 10, TAG);

    CHECK(Block != NULL);
    ExFreePool(Block);
}

TEST(too_much_gives_null)
{
    CHECK(ExAllocatePoolWithTag(NonPagedPoolNx, 1ull << 40, TAG) == NULL);
    CHECK(ExAllocatePoolWithTag(PagedPool, 1ull << 40, TAG) == NULL);
}

CHECK_DRIVER(T(blocks_are_aligned_to_sixteen), T(a_page_or_more_begins_on_a_page),
             T(a_block_of_less_than_a_page_crosses_no_page), T(blocks_do_not_overlap),
             T(nonpaged_pool_is_usable_at_dispatch_level), T(paged_pool_keeps_its_contents_across_dispatch_level),
             T(plain_free_works_for_tagged_blocks), T(too_much_gives_null))
