/*
 * Contiguous and noncached memory: pool blocks of whole pages with a say in where they lie, so leaks, second frees and
 * overruns show as they do in pool. Caching types change nothing here.
 * (docs: MmAllocateContiguousMemorySpecifyCache, MmAllocateNonCachedMemory)
 */
#include "nt.h"
#include "mm/page.h"
#include "ex/poolp.h"

#define MI_TAG_CONTIGUOUS 'mCmM'
#define MI_TAG_NONCACHED 'cNmM'

static PVOID MiAllocateContiguous(SIZE_T Bytes, UINT64 Low, UINT64 High, UINT64 Boundary, ULONG Tag, ULONG Stack)
{
    MI_PLACE Place = {(Low + PAGE_SIZE - 1) / PAGE_SIZE, High / PAGE_SIZE + 1, 1, Boundary / PAGE_SIZE};

    if (!Bytes || (Boundary & (Boundary - 1)) || (Boundary && Bytes > Boundary))
        return NULL;
    return ExpAllocatePlaced(Bytes, Tag, &Place, Stack);
}

PVOID NTAPI MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress)
{
    return MiAllocateContiguous(NumberOfBytes, 0, (UINT64)HighestAcceptableAddress.QuadPart, 0, MI_TAG_CONTIGUOUS,
                                VfCaptureStack());
}

PVOID NTAPI MmAllocateContiguousMemorySpecifyCache(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                   PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                   PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                   MEMORY_CACHING_TYPE CacheType)
{
    return MiAllocateContiguous(NumberOfBytes, (UINT64)LowestAcceptableAddress.QuadPart,
                                (UINT64)HighestAcceptableAddress.QuadPart, (UINT64)BoundaryAddressMultiple.QuadPart,
                                MI_TAG_CONTIGUOUS, VfCaptureStack());
}

PVOID NTAPI MmAllocateContiguousMemorySpecifyCacheNode(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                       PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                       PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                       MEMORY_CACHING_TYPE CacheType, NODE_REQUIREMENT PreferredNode)
{
    return MiAllocateContiguous(NumberOfBytes, (UINT64)LowestAcceptableAddress.QuadPart,
                                (UINT64)HighestAcceptableAddress.QuadPart, (UINT64)BoundaryAddressMultiple.QuadPart,
                                MI_TAG_CONTIGUOUS, VfCaptureStack());
}

PVOID NTAPI MmAllocateContiguousNodeMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                           PHYSICAL_ADDRESS HighestAcceptableAddress,
                                           PHYSICAL_ADDRESS BoundaryAddressMultiple, ULONG Protect,
                                           NODE_REQUIREMENT PreferredNode)
{
    return MiAllocateContiguous(NumberOfBytes, (UINT64)LowestAcceptableAddress.QuadPart,
                                (UINT64)HighestAcceptableAddress.QuadPart, (UINT64)BoundaryAddressMultiple.QuadPart,
                                MI_TAG_CONTIGUOUS, VfCaptureStack());
}

static VOID MiFreeContiguous(PVOID BaseAddress, ULONG Tag, PVOID Caller, ULONG Stack)
{
    if (ExpFreePlaced((UINT64)BaseAddress, Tag, Caller, Stack))
        return;
    VfFinding("mm.bad-free", 0xC2, 0x60, (UINT64)BaseAddress, 0, 0);
    VfSubject("contiguous memory");
    VfText(
        "an address was freed as contiguous or noncached memory that was not allocated as such, or was freed before");
    VfNoteCaller(NULL);
    VfCommit();
}

VOID NTAPI MmFreeContiguousMemory(PVOID BaseAddress)
{
    MiFreeContiguous(BaseAddress, MI_TAG_CONTIGUOUS, __builtin_return_address(0), ExpFreerStack());
}

VOID NTAPI MmFreeContiguousMemorySpecifyCache(PVOID BaseAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType)
{
    MiFreeContiguous(BaseAddress, MI_TAG_CONTIGUOUS, __builtin_return_address(0), ExpFreerStack());
}

PVOID NTAPI MmAllocateNonCachedMemory(SIZE_T NumberOfBytes)
{
    return MiAllocateContiguous(NumberOfBytes, 0, ~0ull, 0, MI_TAG_NONCACHED, VfCaptureStack());
}

VOID NTAPI MmFreeNonCachedMemory(PVOID BaseAddress, SIZE_T NumberOfBytes)
{
    MiFreeContiguous(BaseAddress, MI_TAG_NONCACHED, __builtin_return_address(0), ExpFreerStack());
}
