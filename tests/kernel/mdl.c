/* MDLs: frames of every kind of memory, mappings, partial lists, pages without an address. */
#include "check.h"

#define TAG 'ldMT'

static BOOLEAN FramesAreRight(PMDL Mdl, PVOID Va)
{
    PFN_NUMBER *Frames = MmGetMdlPfnArray(Mdl);
    ULONG Pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, MmGetMdlByteCount(Mdl));

    for (ULONG i = 0; i < Pages; i++) {
        PHYSICAL_ADDRESS Physical = MmGetPhysicalAddress((PUCHAR)PAGE_ALIGN(Va) + i * PAGE_SIZE);
        if (!Physical.QuadPart || (ULONGLONG)Physical.QuadPart >> PAGE_SHIFT != Frames[i])
            return FALSE;
    }
    return TRUE;
}

/* A second view shows what the first one writes, and the other way round, at DISPATCH_LEVEL too. */
static void SecondView(PUCHAR Va, ULONG Bytes)
{
    PMDL Mdl = IoAllocateMdl(Va, Bytes, FALSE, FALSE, NULL);
    PUCHAR Other;
    KIRQL Old;

    if (!CHECK(Mdl != NULL))
        return;
    CHECK_IS(Mdl->Size, sizeof(MDL) + ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Bytes) * sizeof(PFN_NUMBER));
    CHECK_IS(MmGetMdlByteCount(Mdl), Bytes);
    CHECK(MmGetMdlVirtualAddress(Mdl) == (PVOID)Va);
    MmProbeAndLockPages(Mdl, KernelMode, IoModifyAccess);
    CHECK(Mdl->MdlFlags & MDL_PAGES_LOCKED);
    CHECK(FramesAreRight(Mdl, Va));
    Va[0] = 1;
    Va[Bytes - 1] = 2;
    Other = MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority);
    if (CHECK(Other != NULL)) {
        CHECK(Other != Va);
        CHECK_IS(BYTE_OFFSET(Other), BYTE_OFFSET(Va));
        KeRaiseIrql(DISPATCH_LEVEL, &Old);
        CHECK_IS(Other[0], 1);
        CHECK_IS(Other[Bytes - 1], 2);
        Other[0] = 3;
        KeLowerIrql(Old);
        CHECK_IS(Va[0], 3);
        CHECK_IS(MmGetPhysicalAddress(Other).QuadPart, MmGetPhysicalAddress(Va).QuadPart);
    }
    MmUnlockPages(Mdl);
    CHECK(!(Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA)));
    CHECK(!MmIsAddressValid(Other));
    IoFreeMdl(Mdl);
}

TEST(paged_pool_has_a_second_view)
{
    PUCHAR Block = ExAllocatePoolWithTag(PagedPool, 3 * PAGE_SIZE + 100, TAG);

    SecondView(Block + 50, 3 * PAGE_SIZE);
    SecondView(Block, 2);
    ExFreePoolWithTag(Block, TAG);
}

TEST(nonpaged_pool_has_a_second_view)
{
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 200, TAG);

    SecondView(Block + 7, 190);
    ExFreePoolWithTag(Block, TAG);
}

TEST(stack_and_image_have_a_second_view)
{
    static UCHAR Image[PAGE_SIZE];
    UCHAR Stack[500];

    SecondView(Stack, sizeof(Stack));
    SecondView(Image, sizeof(Image));
}

TEST(built_mdl_is_its_own_mapping)
{
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 2 * PAGE_SIZE, TAG);
    PMDL Mdl = IoAllocateMdl(Block + 10, PAGE_SIZE, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(Mdl);
    CHECK(Mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL);
    CHECK(FramesAreRight(Mdl, Block + 10));
    CHECK(MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority) == (PVOID)(Block + 10));
    IoFreeMdl(Mdl);
    ExFreePoolWithTag(Block, TAG);
}

TEST(partial_mdl_describes_a_part)
{
    PUCHAR Block = ExAllocatePoolWithTag(PagedPool, 4 * PAGE_SIZE, TAG), View;
    PMDL Whole = IoAllocateMdl(Block, 4 * PAGE_SIZE, FALSE, FALSE, NULL);
    PMDL Part = IoAllocateMdl(Block + PAGE_SIZE + 100, PAGE_SIZE, FALSE, FALSE, NULL);

    MmProbeAndLockPages(Whole, KernelMode, IoWriteAccess);
    IoBuildPartialMdl(Whole, Part, Block + PAGE_SIZE + 100, PAGE_SIZE);
    CHECK(Part->MdlFlags & MDL_PARTIAL);
    CHECK_IS(MmGetMdlPfnArray(Part)[0], MmGetMdlPfnArray(Whole)[1]);
    CHECK_IS(MmGetMdlPfnArray(Part)[1], MmGetMdlPfnArray(Whole)[2]);
    CHECK_IS(MmGetMdlByteOffset(Part), 100);
    View = MmGetSystemAddressForMdlSafe(Part, NormalPagePriority);
    if (CHECK(View != NULL)) {
        View[0] = 42;
        CHECK_IS(Block[PAGE_SIZE + 100], 42);
    }
    IoFreeMdl(Part); /* takes its mapping away */
    MmUnlockPages(Whole);
    IoFreeMdl(Whole);
    ExFreePoolWithTag(Block, TAG);
}

TEST(part_of_a_mapped_mdl_is_mapped)
{
    PUCHAR Block = ExAllocatePoolWithTag(PagedPool, 2 * PAGE_SIZE, TAG), View, Own;
    PMDL Whole = IoAllocateMdl(Block, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    PMDL Part = IoAllocateMdl(Block + 100, PAGE_SIZE, FALSE, FALSE, NULL);

    MmProbeAndLockPages(Whole, KernelMode, IoWriteAccess);
    View = MmGetSystemAddressForMdlSafe(Whole, NormalPagePriority);
    IoBuildPartialMdl(Whole, Part, Block + 100, PAGE_SIZE);
    CHECK(MmGetSystemAddressForMdlSafe(Part, NormalPagePriority) == (PVOID)(View + 100));
    MmPrepareMdlForReuse(Part); /* the mapping is the whole's */
    View[100] = 1;
    IoBuildPartialMdl(Whole, Part, Block + 200, PAGE_SIZE);
    Own = MmMapLockedPagesSpecifyCache(Part, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
    CHECK(Own != NULL && Own != View + 200);
    Own[0] = 7;
    CHECK_IS(Block[200], 7);
    IoFreeMdl(Part); /* takes that one away */
    CHECK_IS(View[200], 7);
    MmUnlockPages(Whole);
    IoFreeMdl(Whole);
    ExFreePoolWithTag(Block, TAG);
}

TEST(secondary_mdl_is_chained_to_the_irp)
{
    IRP Irp = {0};
    PMDL First = IoAllocateMdl(&Irp, 10, FALSE, FALSE, &Irp), Second = IoAllocateMdl(&Irp, 20, TRUE, FALSE, &Irp);

    CHECK(Irp.MdlAddress == First);
    CHECK(First->Next == Second);
    CHECK(Second->Next == NULL);
    IoFreeMdl(Second);
    IoFreeMdl(First);
}

TEST(pages_for_mdl_are_zero_and_below_the_limit)
{
    PHYSICAL_ADDRESS Low = {.QuadPart = 0}, High = {.QuadPart = 64 << 20}, Skip = {.QuadPart = 0};
    PMDL Mdl = MmAllocatePagesForMdl(Low, High, Skip, 5 * PAGE_SIZE);
    PULONG View;

    if (!CHECK(Mdl != NULL))
        return;
    CHECK_IS(MmGetMdlByteCount(Mdl), 5 * PAGE_SIZE);
    for (int i = 0; i < 5; i++)
        CHECK(MmGetMdlPfnArray(Mdl)[i] << PAGE_SHIFT <= (ULONGLONG)High.QuadPart);
    View = MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority);
    if (CHECK(View != NULL))
        for (ULONG i = 0; i < 5 * PAGE_SIZE / sizeof(ULONG); i += 100)
            CHECK_IS(View[i], 0);
    MmFreePagesFromMdl(Mdl);
    ExFreePool(Mdl);
}

/* docs: MmAllocatePagesForMdl: the routine may return fewer pages; the flag FULLY_REQUIRED says that it may not. */
TEST(more_pages_than_there_are_give_fewer)
{
    PHYSICAL_ADDRESS Low = {.QuadPart = 0}, High = {.QuadPart = -1}, Skip = {.QuadPart = 0};
    const SIZE_T Wanted = (SIZE_T)2 << 30;
    PMDL Mdl = MmAllocatePagesForMdl(Low, High, Skip, Wanted);

    if (CHECK(Mdl != NULL)) {
        CHECK(MmGetMdlByteCount(Mdl) > 0 && MmGetMdlByteCount(Mdl) < Wanted);
        CHECK(MmGetMdlPfnArray(Mdl)[MmGetMdlByteCount(Mdl) / PAGE_SIZE - 1] != 0);
        MmFreePagesFromMdl(Mdl);
        ExFreePool(Mdl);
    }
    CHECK(!MmAllocatePagesForMdlEx(Low, High, Skip, Wanted, MmCached, MM_ALLOCATE_FULLY_REQUIRED));
}

TEST(a_reservation_is_meant_by_any_address_in_its_first_page)
{
    PHYSICAL_ADDRESS Low = {.QuadPart = 0}, High = {.QuadPart = -1};
    PMDL Mdl = MmAllocatePagesForMdlEx(Low, High, Low, PAGE_SIZE, MmCached, 0);
    PUCHAR Base = MmAllocateMappingAddress(PAGE_SIZE, TAG);

    CHECK(!MmAllocateMappingAddress(PAGE_SIZE, 0)); /* a tag there must be */
    CHECK(MmMapLockedPagesWithReservedMapping(Base + 4, TAG, Mdl, MmCached) == Base);
    *(volatile ULONG *)Base = 1;
    MmUnmapReservedMapping(Base, TAG, Mdl);
    MmFreeMappingAddress(Base + 4, TAG);
    MmFreePagesFromMdl(Mdl);
    ExFreePool(Mdl);
}

TEST(contiguous_memory_lies_where_it_was_asked_to)
{
    PHYSICAL_ADDRESS Low = {.QuadPart = 32 << 20}, High = {.QuadPart = 48 << 20}, Boundary = {.QuadPart = 64 << 10};
    PUCHAR Block = MmAllocateContiguousMemorySpecifyCache(40000, Low, High, Boundary, MmCached);
    ULONGLONG First, Last;

    if (!CHECK(Block != NULL))
        return;
    First = (ULONGLONG)MmGetPhysicalAddress(Block).QuadPart;
    Last = (ULONGLONG)MmGetPhysicalAddress(Block + 39999).QuadPart;
    CHECK_IS(Last - First, 39999);
    CHECK(First >= (ULONGLONG)Low.QuadPart && Last <= (ULONGLONG)High.QuadPart);
    CHECK_IS(First >> 16, Last >> 16);
    CHECK(MmGetVirtualForPhysical(MmGetPhysicalAddress(Block)) == (PVOID)Block);
    MmFreeContiguousMemory(Block);
    Boundary.QuadPart = 0;
    CHECK(MmAllocateContiguousMemorySpecifyCache(64 << 20, Low, High, Boundary, MmCached) == NULL);
}

TEST(io_space_of_ram_is_another_view)
{
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, TAG), View;
    PHYSICAL_ADDRESS Nowhere = {.QuadPart = 0xfee00000};

    Block[5] = 5;
    View = MmMapIoSpace(MmGetPhysicalAddress(Block), PAGE_SIZE, MmNonCached);
    if (CHECK(View != NULL)) {
        CHECK_IS(View[5], 5);
        MmUnmapIoSpace(View, PAGE_SIZE);
    }
    CHECK(MmMapIoSpace(Nowhere, PAGE_SIZE, MmNonCached) == NULL);
    ExFreePoolWithTag(Block, TAG);
}

TEST(valid_addresses_are_told_from_others)
{
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);

    CHECK(MmIsAddressValid(Block));
    CHECK(MmIsAddressValid(&Block));
    CHECK(MmIsAddressValid(FramesAreRight));
    CHECK(!MmIsAddressValid(NULL));
    CHECK(!MmIsAddressValid((PVOID)0x10000));
    ExFreePoolWithTag(Block, TAG);
    CHECK((ULONG_PTR)MmSystemRangeStart > (ULONG_PTR)MmHighestUserAddress);
    CHECK((ULONG_PTR)Block > (ULONG_PTR)MmSystemRangeStart);
}

TEST(routines_are_found_by_name)
{
    UNICODE_STRING Here, Not;
    PVOID (*Found)(POOL_TYPE, SIZE_T, ULONG);
    PVOID Block;

    RtlInitUnicodeString(&Here, L"ExAllocatePoolWithTag");
    RtlInitUnicodeString(&Not, L"ExAllocatePoolWithoutTag");
    Found = (PVOID)MmGetSystemRoutineAddress(&Here);
    CHECK(MmGetSystemRoutineAddress(&Not) == NULL);
    if (CHECK(Found != NULL)) {
        Block = Found(NonPagedPoolNx, 10, TAG);
        CHECK(Block != NULL);
        ExFreePoolWithTag(Block, TAG);
    }
}

__attribute__((section("PAGEDATA"))) static volatile ULONG Paged[100] = {1};

TEST(locked_section_is_resident)
{
    PVOID Handle = MmLockPagableDataSection((PVOID)Paged);
    KIRQL Old;

    CHECK(Handle != NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    CHECK_IS(++Paged[0], 2);
    KeLowerIrql(Old);
    MmUnlockPagableImageSection(Handle);
    CHECK_IS(++Paged[0], 3);
    MmLockPagableSectionByHandle(Handle);
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    CHECK_IS(++Paged[0], 4);
    KeLowerIrql(Old);
    MmUnlockPagableImageSection(Handle);
}

TEST(whole_driver_is_paged_and_back)
{
    static volatile ULONG Data = 7;
    KIRQL Old;

    CHECK(MmPageEntireDriver((PVOID)whole_driver_is_paged_and_back) != NULL);
    CHECK_IS(++Data, 8);
    MmResetDriverPaging((PVOID)whole_driver_is_paged_and_back);
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    CHECK_IS(++Data, 9);
    KeLowerIrql(Old);
}

CHECK_DRIVER(T(paged_pool_has_a_second_view), T(nonpaged_pool_has_a_second_view), T(stack_and_image_have_a_second_view),
             T(built_mdl_is_its_own_mapping), T(partial_mdl_describes_a_part), T(part_of_a_mapped_mdl_is_mapped),
             T(secondary_mdl_is_chained_to_the_irp), T(pages_for_mdl_are_zero_and_below_the_limit),
             T(more_pages_than_there_are_give_fewer), T(a_reservation_is_meant_by_any_address_in_its_first_page),
             T(contiguous_memory_lies_where_it_was_asked_to), T(io_space_of_ram_is_another_view),
             T(valid_addresses_are_told_from_others), T(routines_are_found_by_name), T(locked_section_is_resident),
             T(whole_driver_is_paged_and_back))
