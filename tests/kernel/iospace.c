/* MDLs of device memory, MDLs mapped for one call, memory that is added, what the verifier says of drivers. */
#include "check.h"

TEST(an_mdl_describes_device_memory)
{
    const ULONGLONG High = 0x4000000000; /* no machine here has so much memory */
    MM_PHYSICAL_ADDRESS_LIST List[2] = {{{.QuadPart = High}, 2 * PAGE_SIZE}, {{.QuadPart = High + 0x10000}, PAGE_SIZE}};
    PMDL Mdl;

    CHECK_IS(MmAllocateMdlForIoSpace(List, 2, &Mdl), STATUS_SUCCESS);
    CHECK_IS(MmGetMdlByteCount(Mdl), 3 * PAGE_SIZE);
    CHECK_IS(MmGetMdlPfnArray(Mdl)[1], High / PAGE_SIZE + 1);
    CHECK_IS(MmGetMdlPfnArray(Mdl)[2], High / PAGE_SIZE + 16);
    CHECK(Mdl->MdlFlags & MDL_IO_SPACE);
    IoFreeMdl(Mdl);
    List[1].NumberOfBytes = 100;
    CHECK_IS(MmAllocateMdlForIoSpace(List, 2, &Mdl), STATUS_INVALID_PARAMETER_1);
    CHECK(!Mdl);
    List[1].NumberOfBytes = PAGE_SIZE;
    List[1].PhysicalAddress.QuadPart += 4;
    CHECK_IS(MmAllocateMdlForIoSpace(List, 2, &Mdl), STATUS_INVALID_PARAMETER_1);
    List[1].PhysicalAddress.QuadPart = 16 * PAGE_SIZE; /* memory */
    CHECK_IS(MmAllocateMdlForIoSpace(List, 2, &Mdl), STATUS_INVALID_PARAMETER_1);
    List[0].NumberOfBytes = 0x100000000; /* 4 GB */
    CHECK_IS(MmAllocateMdlForIoSpace(List, 1, &Mdl), STATUS_INVALID_PARAMETER_1);
}

static PVOID Seen;

static void NTAPI Mapped(PVOID Context, PVOID Va)
{
    CHECK(Context == &Seen);
    Seen = Va;
    CHECK_IS(((PUCHAR)Va)[5], 77);
    ((PUCHAR)Va)[6] = 78;
}

TEST(an_mdl_is_mapped_for_one_call)
{
    PUCHAR Block = ExAllocatePoolWithTag(PagedPool, 3 * PAGE_SIZE, 'TpsI');
    PMDL Mdl = IoAllocateMdl(Block + 100, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    KIRQL Old;

    Block[105] = 77;
    MmProbeAndLockPages(Mdl, KernelMode, IoModifyAccess);
    CHECK_IS(MmMapMdl(Mdl, 0x12345, Mapped, &Seen), STATUS_INVALID_PAGE_PROTECTION);
    CHECK(!Seen);
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    CHECK_IS(MmMapMdl(Mdl, PAGE_READWRITE, Mapped, &Seen), STATUS_SUCCESS);
    CHECK(Seen && !MmIsAddressValid(Seen)); /* unmapped again */
    KeLowerIrql(Old);
    CHECK_IS(Block[106], 78);
    CHECK(!(Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA));
    PVOID Va = MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority);
    CHECK_IS(MmMapMdl(Mdl, PAGE_READWRITE, Mapped, &Seen), STATUS_SUCCESS);
    CHECK(Seen == Va && MmIsAddressValid(Va)); /* it was mapped, and stays so */
    MmUnlockPages(Mdl);
    IoFreeMdl(Mdl);
    ExFreePool(Block);
}

TEST(no_memory_can_be_added)
{
    PHYSICAL_ADDRESS At = {.QuadPart = 0x4000000000};
    LARGE_INTEGER Bytes = {.QuadPart = 0x100000};

    CHECK_IS(MmAddPhysicalMemory(&At, &Bytes), STATUS_NOT_SUPPORTED);
    At.QuadPart = 0x10000;
    CHECK_IS(MmAddPhysicalMemory(&At, &Bytes), STATUS_CONFLICTING_ADDRESSES);
    At.QuadPart = 0x10;
    CHECK_IS(MmAddPhysicalMemory(&At, &Bytes), STATUS_INVALID_PARAMETER);
}

TEST(every_driver_is_verified)
{
    CHECK(MmIsDriverVerifying(CheckDriver));
    CHECK(MmIsDriverSuspectForVerifier(CheckDriver));
    CHECK(MmIsDriverVerifyingByAddress((PVOID)(ULONG_PTR)every_driver_is_verified));
    CHECK(!MmIsDriverVerifyingByAddress((PVOID)(ULONG_PTR)ExAllocatePool2));
    CHECK(!MmIsAddressValid(MM_BAD_POINTER));
}

TEST(counters_for_threads_are_kept)
{
    HARDWARE_COUNTER Two[2] = {{PMCCounter, 0, 5}, {PMCCounter, 0, 9}}, Got[2] = {{0}};
    ULONG Count = 99;

    CHECK_IS(KeQueryHardwareCounterConfiguration(Got, 2, &Count), STATUS_SUCCESS);
    CHECK_IS(Count, 0);
    CHECK_IS(KeSetHardwareCounterConfiguration(Two, MAX_HW_COUNTERS + 1), STATUS_INVALID_PARAMETER);
    CHECK_IS(KeSetHardwareCounterConfiguration(Two, 2), STATUS_SUCCESS);
    CHECK_IS(KeQueryHardwareCounterConfiguration(Got, 1, &Count), STATUS_BUFFER_TOO_SMALL);
    CHECK_IS(Count, 2);
    CHECK_IS(KeQueryHardwareCounterConfiguration(Got, 2, &Count), STATUS_SUCCESS);
    CHECK(Got[0].Index == 5 && Got[1].Index == 9);
    CHECK_IS(KeSetHardwareCounterConfiguration(NULL, 0), STATUS_SUCCESS);
}

CHECK_DRIVER(T(an_mdl_describes_device_memory), T(an_mdl_is_mapped_for_one_call), T(no_memory_can_be_added),
             T(every_driver_is_verified), T(counters_for_threads_are_kept))
