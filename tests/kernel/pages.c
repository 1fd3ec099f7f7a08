/*
 * Pages that a driver allocates for an MDL, and reserved mappings: what the MDL says before, while and after it is mapped, and how much
 * a reservation holds. (docs: MmAllocatePagesForMdl, MmMapLockedPagesSpecifyCache, MmAllocateMappingAddress,
 * MmMapLockedPagesWithReservedMapping)
 */
#include "check.h"

#define TAG 'egaP'

static const PHYSICAL_ADDRESS Zero = {.QuadPart = 0}, Most = {.QuadPart = -1};

static void MdlIs(PMDL Mdl, SIZE_T Bytes, PVOID Mapped)
{
    CHECK_IS(MmGetMdlByteCount(Mdl), Bytes);
    CHECK_IS(MmGetMdlVirtualAddress(Mdl), NULL);
    CHECK_IS((Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0, Mapped != NULL);
    CHECK(!Mapped || Mdl->MappedSystemVa == Mapped);
}

static PVOID Map(PMDL Mdl)
{
    return MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
}

TEST(an_mdl_says_whether_it_is_mapped)
{
    const SIZE_T Bytes = 2 << 20;

    for (int Unmap = 0; Unmap <= 1; Unmap++) {
        PMDL Mdl = MmAllocatePagesForMdl(Zero, Most, Zero, Bytes);
        PVOID Base;

        if (!CHECK(Mdl != NULL))
            return;
        MdlIs(Mdl, Bytes, NULL);
        for (ULONG i = 0; i < Bytes / PAGE_SIZE; i++)
            CHECK(MmGetMdlPfnArray(Mdl)[i] != 0 && MmGetMdlPfnArray(Mdl)[i] != (PFN_NUMBER)-1);
        Base = Map(Mdl);
        CHECK(Base != NULL);
        MdlIs(Mdl, Bytes, Base);
        if (Unmap) {
            MmUnmapLockedPages(Base, Mdl);
            MdlIs(Mdl, Bytes, NULL);
        }
        MmFreePagesFromMdl(Mdl); /* a mapping goes with its pages */
        ExFreePool(Mdl);
    }
}

TEST(pages_are_allocated_and_mapped_until_there_are_none)
{
    PMDL Mdl[32] = {NULL};
    PVOID Base[32] = {NULL};
    const SIZE_T Bytes = 32 << 20;
    ULONG Count = 0;

    while (Count < ARRAYSIZE(Mdl) && (Mdl[Count] = MmAllocatePagesForMdl(Zero, Most, Zero, Bytes)) != NULL) {
        Base[Count] = Map(Mdl[Count]);
        MdlIs(Mdl[Count], MmGetMdlByteCount(Mdl[Count]), Base[Count]);
        CHECK(MmGetMdlByteCount(Mdl[Count]) <= Bytes);
        if (!Base[Count++] || MmGetMdlByteCount(Mdl[Count - 1]) < Bytes)
            break;
    }
    CHECK(Count > 0);
    while (Count--) {
        if (Base[Count])
            MmUnmapLockedPages(Base[Count], Mdl[Count]);
        MmFreePagesFromMdl(Mdl[Count]);
        ExFreePool(Mdl[Count]);
    }
}

static void Reservation(PVOID Reserved, ULONG Pages, ULONG Tag)
{
    for (ULONG Wanted = 1; Wanted <= Pages + 1; Wanted++) {
        PMDL Mdl = MmAllocatePagesForMdlEx(Zero, Most, Zero, Wanted * PAGE_SIZE, MmCached, 0);
        PUCHAR Base = MmMapLockedPagesWithReservedMapping(Reserved, Tag, Mdl, MmCached);

        CHECK_IS(Base, Wanted <= Pages ? Reserved : NULL); /* one too many: none */
        for (ULONG i = 0; Base && i < Wanted; i++) {
            *(volatile ULONG *)(Base + i * PAGE_SIZE) = i + 5;
            CHECK_IS(*(volatile ULONG *)(Base + i * PAGE_SIZE), i + 5);
        }
        MdlIs(Mdl, Wanted * PAGE_SIZE, Base);
        if (Base) {
            MmUnmapReservedMapping(Base, Tag, Mdl);
            MdlIs(Mdl, Wanted * PAGE_SIZE, NULL);
        }
        MmFreePagesFromMdl(Mdl);
        ExFreePool(Mdl);
    }
}

TEST(a_reservation_holds_its_pages_and_no_more)
{
    static const struct {
        SIZE_T Bytes;
        ULONG Pages, Tag;
    } Rows[] = {{1, 1, TAG}, {PAGE_SIZE, 1, 1}, {10 * PAGE_SIZE, 10, TAG}};

    for (ULONG i = 0; i < ARRAYSIZE(Rows); i++) {
        PVOID Reserved = MmAllocateMappingAddress(Rows[i].Bytes, Rows[i].Tag);

        if (CHECK(Reserved != NULL)) {
            Reservation(Reserved, Rows[i].Pages, Rows[i].Tag);
            MmFreeMappingAddress(Reserved, Rows[i].Tag);
        }
    }
}

TEST(an_mdl_of_nonpaged_pool_is_not_locked)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, TAG);
    PMDL Mdl = IoAllocateMdl(Block, PAGE_SIZE, FALSE, FALSE, NULL);

    CHECK(!(Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL)));
    MmBuildMdlForNonPagedPool(Mdl);
    CHECK_IS(Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL), MDL_SOURCE_IS_NONPAGED_POOL);
    IoFreeMdl(Mdl);
    ExFreePoolWithTag(Block, TAG);
}

CHECK_DRIVER(T(an_mdl_says_whether_it_is_mapped), T(pages_are_allocated_and_mapped_until_there_are_none),
             T(a_reservation_holds_its_pages_and_no_more), T(an_mdl_of_nonpaged_pool_is_not_locked))
