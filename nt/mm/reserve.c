/*
 * Reserved mappings, and the forms of locking and allocating pages that are not in mdl.c.
 *
 * A reserved mapping is a range of addresses that an MDL can be shown at without asking for anything, so it cannot fail. Its
 * pages are ones of ours, closed, until it is used. (docs: MmAllocateMappingAddress, MmMapLockedPagesWithReservedMapping)
 */
#include "nt.h"
#include "mm/space.h"

typedef struct _MI_RESERVED {
    LIST_ENTRY Entry;
    PVOID Base;
    UINT64 Pages;
    ULONG Tag;
    PMDL Mdl; /* shown now */
} MI_RESERVED, *PMI_RESERVED;

static LIST_ENTRY MiReserved = {&MiReserved, &MiReserved};

static PMI_RESERVED MiReservedAt(PVOID Base)
{
    for (PLIST_ENTRY Entry = MiReserved.Flink; Entry != &MiReserved; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, MI_RESERVED, Entry)->Base == Base)
            return CONTAINING_RECORD(Entry, MI_RESERVED, Entry);
    return NULL;
}

PVOID NTAPI MmAllocateMappingAddress(SIZE_T NumberOfBytes, ULONG PoolTag)
{
    UINT64 Pages = (NumberOfBytes + PAGE_SIZE - 1) / PAGE_SIZE, Spare;
    PMI_RESERVED Reserved = NumberOfBytes && PoolTag ? ExpTryAllocate(sizeof(*Reserved), 'vsRM') : NULL;
    PFN_NUMBER *Frames = Reserved ? ExpTryAllocate(Pages * sizeof(*Frames), 'vsRM') : NULL;

    Spare = Frames ? MiAllocatePages(1) : 0;
    if (Spare) {
        for (UINT64 i = 0; i < Pages; i++)
            Frames[i] = (PFN_NUMBER)(Spare / PAGE_SIZE);
        Reserved->Base = MiMapFrames(Frames, Pages, DOOR_NONE);
        MiFreePages(Spare, 1); /* nothing can be seen of it */
    }
    if (Frames)
        ExpFree(Frames);
    if (!Reserved || !Reserved->Base) {
        if (Reserved)
            ExpFree(Reserved);
        return NULL;
    }
    Reserved->Pages = Pages;
    Reserved->Tag = PoolTag;
    InsertTailList(&MiReserved, &Reserved->Entry);
    return Reserved->Base;
}

/* docs: Bug check 0xDA (SYSTEM_PTE_MISUSE): the first parameter says what was wrong. A free build stops for it too. */
static DECLSPEC_NORETURN VOID MiMisused(ULONG Kind, PVOID Base, UINT64 P3, UINT64 P4, PCSTR Text)
{
    VfFinding("memory.reserved-mapping", 0xDA, Kind, (UINT64)Base, P3, P4);
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfCommit();
    KiBugCheck(0xDA, Kind, (UINT64)Base, P3, P4);
}

static PMI_RESERVED MiCheckReserved(PVOID Base, ULONG Tag, ULONG NotReserved, ULONG WrongTag)
{
    PMI_RESERVED Reserved = MiReservedAt(PAGE_ALIGN(Base)); /* anywhere in the first page, as on Windows */

    if (!Reserved)
        MiMisused(NotReserved, Base, 0, 0, "no mapping was reserved at this address");
    if (Reserved->Tag != Tag)
        MiMisused(WrongTag, Base, Tag, Reserved->Tag, "the mapping was reserved with another tag");
    return Reserved;
}

VOID NTAPI MmFreeMappingAddress(PVOID BaseAddress, ULONG PoolTag)
{
    PMI_RESERVED Reserved = MiCheckReserved(BaseAddress, PoolTag, 0x101, 0x102);

    if (Reserved->Mdl)
        MiMisused(0x103, BaseAddress, PoolTag, Reserved->Pages, "a reserved mapping is freed that still maps an MDL");
    RemoveEntryList(&Reserved->Entry);
    MiUnmapFrames(Reserved->Base, Reserved->Pages);
    ExpFree(Reserved);
}

PVOID NTAPI MmMapLockedPagesWithReservedMapping(PVOID MappingAddress, ULONG PoolTag, PMDL Mdl,
                                                MEMORY_CACHING_TYPE CacheType)
{
    PMI_RESERVED Reserved = MiCheckReserved(MappingAddress, PoolTag, 0x104, 0x105);
    UINT64 Pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(Mdl->ByteOffset, Mdl->ByteCount);

    if (Reserved->Mdl)
        MiMisused(0x107, MappingAddress, 0, 0, "a reserved mapping is used that maps another MDL");
    if (Pages > Reserved->Pages)
        return NULL;
    for (UINT64 i = 0; i < Pages; i++)
        if (KiDoor->map((UINT64)Reserved->Base + i * PAGE_SIZE, (UINT64)MmGetMdlPfnArray(Mdl)[i] * PAGE_SIZE, PAGE_SIZE,
                        DOOR_READ | DOOR_WRITE) != DOOR_OK)
            KiInternalError("a reserved mapping cannot be used");
    Reserved->Mdl = Mdl;
    Mdl->MappedSystemVa = (PUCHAR)Reserved->Base + Mdl->ByteOffset;
    Mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA | (Mdl->MdlFlags & MDL_PARTIAL ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0);
    return Mdl->MappedSystemVa;
}

VOID NTAPI MmUnmapReservedMapping(PVOID BaseAddress, ULONG PoolTag, PMDL Mdl)
{
    PMI_RESERVED Reserved = MiCheckReserved(BaseAddress, PoolTag, 0x108, 0x109);

    if (Reserved->Mdl != Mdl)
        MiMisused(0x10A, BaseAddress, 0, 0, "a reserved mapping is unmapped that does not map this MDL");
    MiProtect((UINT64)Reserved->Base, Reserved->Pages * PAGE_SIZE, DOOR_NONE);
    Reserved->Mdl = NULL;
    Mdl->MdlFlags &= ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
}

/* ---- Other forms ---------------------------------------------------------------------------------------------------- */

/* docs: MmProbeAndLockProcessPages: the buffer is in that process. */
VOID NTAPI MmProbeAndLockProcessPages(PMDL Mdl, PEPROCESS Process, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    KAPC_STATE State;
    NTSTATUS Status;

    KeStackAttachProcess(&Process->Pcb, &State);
    Status = MmTryLockPages(Mdl, AccessMode, Operation);
    KeUnstackDetachProcess(&State);
    if (!NT_SUCCESS(Status))
        ExRaiseStatus(Status);
}

/* docs: MmProbeAndLockSelectedPages: one page from each segment. */
VOID NTAPI MmProbeAndLockSelectedPages(PMDL Mdl, PFILE_SEGMENT_ELEMENT Segments, KPROCESSOR_MODE AccessMode,
                                       LOCK_OPERATION Operation)
{
    UINT64 Pages = Mdl->ByteCount / PAGE_SIZE, Done;
    PFN_NUMBER *Frames = MmGetMdlPfnArray(Mdl);
    NTSTATUS Status = STATUS_SUCCESS;
    struct {
        MDL Mdl;
        PFN_NUMBER Frame;
    } One[1];

    for (Done = 0; Done < Pages && NT_SUCCESS(Status); Done++) {
        MmInitializeMdl(&One->Mdl, PAGE_ALIGN(PtrToPtr64(Segments[Done].Buffer)), PAGE_SIZE);
        Status = MmTryLockPages(&One->Mdl, AccessMode, Operation);
        if (NT_SUCCESS(Status))
            Frames[Done] = One->Frame;
    }
    if (!NT_SUCCESS(Status)) {
        for (Done--; Done; Done--) {
            One->Frame = Frames[Done - 1];
            One->Mdl.MdlFlags = MDL_PAGES_LOCKED;
            MmUnlockPages(&One->Mdl);
        }
        ExRaiseStatus(Status);
    }
    Mdl->Process = PsGetCurrentProcess();
    Mdl->MdlFlags |= MDL_PAGES_LOCKED | (Operation != IoReadAccess ? MDL_WRITE_OPERATION : 0);
}

/* One node. */
PMDL NTAPI MmAllocateNodePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                                       PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType,
                                       ULONG IdealNode, ULONG Flags)
{
    return IdealNode ? NULL : MmAllocatePagesForMdlEx(LowAddress, HighAddress, SkipBytes, TotalBytes, CacheType, Flags);
}

/* docs: MmGetPhysicalMemoryRanges: pool that the caller frees, ended by an entry of zeros. Page 0 is not used. */
PPHYSICAL_MEMORY_RANGE NTAPI MmGetPhysicalMemoryRanges(VOID)
{
    PPHYSICAL_MEMORY_RANGE Ranges = ExAllocatePoolWithTag(NonPagedPoolNx, 2 * sizeof(*Ranges), 'hPmM');

    if (!Ranges)
        return NULL;
    RtlZeroMemory(Ranges, 2 * sizeof(*Ranges));
    Ranges[0].BaseAddress.QuadPart = PAGE_SIZE;
    Ranges[0].NumberOfBytes.QuadPart = (LONGLONG)(MiPageCount - 1) * PAGE_SIZE;
    return Ranges;
}

/* No board tells of memory that can be added while the machine runs, so there is nothing that could be. */
NTSTATUS NTAPI MmAddPhysicalMemory(PPHYSICAL_ADDRESS StartAddress, PLARGE_INTEGER NumberOfBytes)
{
    UINT64 Start = (UINT64)StartAddress->QuadPart, Bytes = (UINT64)NumberOfBytes->QuadPart;

    if (!Bytes || ((Start | Bytes) & (PAGE_SIZE - 1)) || Start + Bytes < Start)
        return STATUS_INVALID_PARAMETER;
    if (Start < MiPageCount << MI_PAGE_SHIFT)
        return STATUS_CONFLICTING_ADDRESSES;
    return STATUS_NOT_SUPPORTED;
}

ULONGLONG NTAPI MmGetMaximumFileSectionSize(VOID)
{
    return 1ull << 44;
}

/* docs: MmForceSectionClosedEx */
BOOLEAN NTAPI MmForceSectionClosedEx(PSECTION_OBJECT_POINTERS SectionObjectPointer, ULONG ForceCloseFlags)
{
    return !SectionObjectPointer->DataSectionObject && !SectionObjectPointer->ImageSectionObject;
}

/* A page fault never starts another one's read here. */
BOOLEAN NTAPI MmIsRecursiveIoFault(VOID)
{
    return FALSE;
}
