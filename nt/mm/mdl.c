/*
 * Memory descriptor lists: a buffer as a list of page frames. Life of one: allocated; described (locked, built for
 * nonpaged pool, partial of another, or made of fresh pages); mapped perhaps; unmapped, unlocked, freed. Each routine
 * keeps the flags Windows keeps, for drivers look at them inline (MmGetSystemAddressForMdlSafe), and refuses the steps
 * that Driver Verifier refuses (bug check 0xC4, 0x70 to 0x85 and 0xB0 to 0xB8).
 *
 * A mapping is always a second view of its own (address.c), even of contiguous RAM, so that a use after
 * MmUnmapLockedPages is seen. Memory whose pages are locked stays pageable at its own address: at DISPATCH_LEVEL only
 * the mapping may be used (docs: "Using MDLs").
 *
 * User memory is that of the process the caller runs in; the pages stay, and stay the same, until they are unlocked,
 * also when the process gives them back meanwhile. A mapping into user space is a range of that process (docs:
 * MmMapLockedPagesSpecifyCache).
 */
#include "nt.h"
#include "mm/space.h"
#include "ex/poolp.h"

#define MI_MDL_LIMIT 0xFFFFF000u /* docs: IoAllocateMdl: the longest buffer has 4 GB less a page */
#define MI_KEPT_BACK 16          /* a part of all pages that no MDL gets */

#define MI_DESCRIBED (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL)

static ULONG MiLockedPages; /* in all MDLs */

static VOID MiReportMdl(PMDL Mdl, ULONG SubCode, UINT64 P2, UINT64 P3, UINT64 P4, PCSTR Rule, PCSTR Text)
{
    VfFinding(Rule, 0xC4, SubCode, P2, P3, P4);
    VfSubject("MDL");
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfCommit();
}

static UINT64 MiMdlPages(PMDL Mdl)
{
    return ADDRESS_AND_SIZE_TO_SPAN_PAGES(Mdl->ByteOffset, Mdl->ByteCount);
}

/* ---- Allocation ----------------------------------------------------------------------------------------------------
 */

static PMDL MiAllocateMdl(PVOID VirtualAddress, SIZE_T Length, ULONG Stack, PVOID Caller)
{
    SIZE_T Bytes = MmSizeOfMdl(VirtualAddress, Length);
    PMDL Mdl = ExpAllocateForDriver(NonPagedPoolNx, Bytes, MI_TAG_MDL, TRUE, Stack, Caller);

    if (Mdl)
        MmInitializeMdl(Mdl, VirtualAddress, Length);
    return Mdl;
}

SIZE_T NTAPI MmSizeOfMdl(PVOID Base, SIZE_T Length)
{
    return sizeof(MDL) + ADDRESS_AND_SIZE_TO_SPAN_PAGES(Base, Length) * sizeof(PFN_NUMBER);
}

PMDL NTAPI IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp)
{
    PMDL Mdl;

    if (Length > MI_MDL_LIMIT)
        return NULL;
    Mdl = MiAllocateMdl(VirtualAddress, Length, VfCaptureStack(), __builtin_return_address(0));
    if (!Mdl || !Irp)
        return Mdl;
    if (!SecondaryBuffer) {
        Irp->MdlAddress = Mdl;
    } else if (Irp->MdlAddress) {
        PMDL Last = Irp->MdlAddress;
        while (Last->Next)
            Last = Last->Next;
        Last->Next = Mdl;
    }
    return Mdl;
}

PMDL NTAPI MmCreateMdl(PMDL MemoryDescriptorList, PVOID Base, SIZE_T Length)
{
    if (MemoryDescriptorList) {
        MmInitializeMdl(MemoryDescriptorList, Base, Length);
        return MemoryDescriptorList;
    }
    return MiAllocateMdl(Base, Length, VfCaptureStack(), __builtin_return_address(0));
}

VOID NTAPI IoFreeMdl(PMDL Mdl)
{
    USHORT Flags = (USHORT)Mdl->MdlFlags;

    if (Flags & MDL_PARTIAL_HAS_BEEN_MAPPED)
        MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
    else if ((Flags & MDL_PAGES_LOCKED) && !(Flags & (MDL_PARTIAL | MDL_IO_SPACE)))
        MiReportMdl(Mdl, 0xB8, (UINT64)Mdl, Flags, 0, "mdl.freed-locked",
                    "an MDL was freed whose pages are still locked");
    ExpFreeForDriver((UINT64)Mdl, 0, __builtin_return_address(0), ExpFreerStack());
}

static DECLSPEC_NORETURN VOID MiReportPartial(PMDL Target, ULONG Length, PCSTR Format, ...)
{
    CHAR Text[128];
    va_list Arguments;

    va_start(Arguments, Format);
    RtlpFormatV(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    VfFinding("mdl.partial-too-small", 0x40, (UINT64)Target, Length, Target->Size, 0); /* TARGET_MDL_TOO_SMALL */
    VfSubject("MDL");
    VfText("IoBuildPartialMdl: %s", Text);
    VfNoteCaller(NULL);
    VfCommit();
    VfContinueIsImpossible();
}

VOID NTAPI IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length)
{
    UINT64 Offset = (UINT64)VirtualAddress - (UINT64)MmGetMdlVirtualAddress(SourceMdl);
    UINT64 Skip, Pages, Room;
    USHORT Flags = TargetMdl->MdlFlags & (MDL_ALLOCATED_FIXED_SIZE | MDL_ALLOCATED_MUST_SUCCEED);

    if (!Length && Offset < SourceMdl->ByteCount)
        Length = SourceMdl->ByteCount - (ULONG)Offset;
    Pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(VirtualAddress, Length);
    Room = (TargetMdl->Size - sizeof(MDL)) / sizeof(PFN_NUMBER);
    if (Offset > SourceMdl->ByteCount || Length > SourceMdl->ByteCount - Offset)
        MiReportPartial(TargetMdl, Length, "the part (%u bytes at %lld) is not inside the source (%u bytes)", Length,
                        (LONG64)Offset, SourceMdl->ByteCount);
    if (Pages > Room)
        MiReportPartial(TargetMdl, Length, "the part lies in %u pages, and the target has entries for %u", (ULONG)Pages,
                        (ULONG)Room);
    TargetMdl->Process = SourceMdl->Process;
    TargetMdl->StartVa = PAGE_ALIGN(VirtualAddress);
    TargetMdl->ByteOffset = BYTE_OFFSET(VirtualAddress);
    TargetMdl->ByteCount = Length;
    TargetMdl->MappedSystemVa = (PUCHAR)SourceMdl->MappedSystemVa + Offset;
    Flags |= MDL_PARTIAL | (SourceMdl->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_IO_PAGE_READ | MDL_IO_SPACE));
    if (SourceMdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) /* a part of what is mapped is mapped */
        Flags |= MDL_MAPPED_TO_SYSTEM_VA | MDL_PARENT_MAPPED_SYSTEM_VA;
    TargetMdl->MdlFlags = (CSHORT)Flags;
    Skip = (SourceMdl->ByteOffset + Offset) / PAGE_SIZE;
    for (UINT64 i = 0; i < Pages; i++)
        MmGetMdlPfnArray(TargetMdl)[i] = MmGetMdlPfnArray(SourceMdl)[Skip + i];
}

/* ---- Describing memory ---------------------------------------------------------------------------------------------
 */

VOID NTAPI MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList)
{
    PMDL Mdl = MemoryDescriptorList;
    UINT64 Va = (UINT64)MmGetMdlVirtualAddress(Mdl), Bytes;

    if (MiIsPagedView(Va))
        MiReportMdl(Mdl, 0x7F, KeGetCurrentIrql(), (UINT64)Mdl, (USHORT)Mdl->MdlFlags, "mdl.paged-as-nonpaged",
                    "MmBuildMdlForNonPagedPool was called for paged pool");
    else if (MiPageableOf(Va, &Bytes))
        MiReportMdl(Mdl, 0x140, KeGetCurrentIrql(), (UINT64)Mdl, Va, "mdl.paged-as-nonpaged",
                    "MmBuildMdlForNonPagedPool was called for a pageable section");
    for (UINT64 i = 0; i < MiMdlPages(Mdl); i++)
        MmGetMdlPfnArray(Mdl)[i] = (PFN_NUMBER)(MiPhysical((PUCHAR)Mdl->StartVa + i * PAGE_SIZE) >> MI_PAGE_SHIFT);
    Mdl->Process = NULL;
    Mdl->MappedSystemVa = (PVOID)Va;
    Mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
}

/* The frame behind a page that is to be locked; FALSE if there is none, or it may not be written. */
static BOOLEAN MiLockableFrame(UINT64 Va, BOOLEAN Write, PFN_NUMBER *Frame)
{
    UINT64 Physical, Same;
    PMI_PAGE Page;
    PMI_IMAGE Image;
    NTSTATUS Status;

    if (Va < DOOR_USER_END) {
        Physical = MiUserPage(MiCurrentSpace(), Va, Write, &Status);
        *Frame = (PFN_NUMBER)(Physical >> MI_PAGE_SHIFT);
        return Physical != 0;
    }
    Physical = MiPhysical((PVOID)Va);
    Page = MiPageOfView(Va, &Same);
    Image = MmImageOf(Va);
    if (Physical == (UINT64)-1)
        return FALSE;
    if (Page && (Page->Use == MiUseGuard || (Page->Flags & MI_PAGE_CLOSED)))
        return FALSE;
    if (Page && MiIsPagedView(Va) && !(Page->Flags & MI_PAGE_PAGED))
        return FALSE;
    if (Image && Write) {
        const struct door_section *Section = MiSectionOf(Image, Va);
        if (!Section || !(Section->characteristics & 0x80000000)) /* IMAGE_SCN_MEM_WRITE */
            return FALSE;
    }
    *Frame = (PFN_NUMBER)(Physical >> MI_PAGE_SHIFT);
    return TRUE;
}

static VOID MiCountLock(PFN_NUMBER Frame, LONG Delta)
{
    UINT64 Physical = (UINT64)Frame << MI_PAGE_SHIFT;
    PMI_PAGE Page;

    MiLockedPages += (ULONG)Delta;
    if (Frame >= MiPageCount && Physical < DOOR_SHARE_PA)
        return;
    Page = MiPageOf(Physical);
    Page->Locks = (USHORT)(Page->Locks + Delta);
    if (!Page->Locks && (Page->Flags & MI_PAGE_DYING))
        MiFreeUserPage(Physical);
}

BOOLEAN MiAnyLocked(UINT64 Physical, UINT64 Pages)
{
    if (!MiLockedPages)
        return FALSE;
    for (PMI_PAGE Page = MiPageOf(Physical); Pages; Pages--, Page++)
        if (Page->Locks)
            return TRUE;
    return FALSE;
}

NTSTATUS MmTryLockPages(PMDL Mdl, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    UINT64 Va = (UINT64)Mdl->StartVa, Bytes, Pages = MiMdlPages(Mdl);
    USHORT Wrong = (USHORT)Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL |
                                            MDL_PARTIAL | MDL_IO_SPACE);

    if (Wrong) {
        MiReportMdl(Mdl, 0xB0, (UINT64)Mdl, (USHORT)Mdl->MdlFlags, Wrong, "mdl.locked-twice",
                    "MmProbeAndLockPages was called for an MDL that is locked, mapped or built already");
        return STATUS_SUCCESS;
    }
    if (KeGetCurrentIrql() >= DISPATCH_LEVEL && (MiIsPagedView(Va) || MiPageableOf(Va, &Bytes)))
        MiReportMdl(Mdl, 0x70, KeGetCurrentIrql(), (UINT64)Mdl, (UINT64)AccessMode, "mdl.lock-paged-at-dispatch",
                    "MmProbeAndLockPages was called for pageable memory at DISPATCH_LEVEL or above");
    if (AccessMode != KernelMode && (UINT64)MmGetMdlVirtualAddress(Mdl) + Mdl->ByteCount > MmUserProbeAddress)
        return STATUS_ACCESS_VIOLATION;
    for (UINT64 i = 0; i < Pages; i++)
        if (!MiLockableFrame(Va + i * PAGE_SIZE, Operation != IoReadAccess, &MmGetMdlPfnArray(Mdl)[i]))
            return STATUS_ACCESS_VIOLATION; /* nothing has been locked */
    for (UINT64 i = 0; i < Pages; i++)
        MiCountLock(MmGetMdlPfnArray(Mdl)[i], 1);
    Mdl->Process = Va < DOOR_USER_END ? PsGetCurrentProcess() : NULL;
    if (Mdl->Process)
        Mdl->Process->LockedPages += (LONG)Pages;
    Mdl->MdlFlags |= MDL_PAGES_LOCKED | (Operation != IoReadAccess ? MDL_WRITE_OPERATION : 0);
    return STATUS_SUCCESS;
}

VOID NTAPI MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    NTSTATUS Status = MmTryLockPages(MemoryDescriptorList, AccessMode, Operation);

    if (!NT_SUCCESS(Status))
        ExRaiseStatus(Status);
}

VOID NTAPI MmUnlockPages(PMDL MemoryDescriptorList)
{
    PMDL Mdl = MemoryDescriptorList;
    USHORT Flags = (USHORT)Mdl->MdlFlags;

    if (Flags & MDL_PARTIAL) {
        MiReportMdl(Mdl, 0xB4, (UINT64)Mdl, Flags, MDL_PARTIAL, "mdl.unlock-partial",
                    "MmUnlockPages was called for a partial MDL");
        return;
    }
    if (Flags & MDL_SOURCE_IS_NONPAGED_POOL) {
        MiReportMdl(Mdl, 0x7D, (UINT64)Mdl, Flags, 0, "mdl.unlock-nonpaged",
                    "MmUnlockPages was called for an MDL that MmBuildMdlForNonPagedPool made");
        return;
    }
    if (!(Flags & MDL_PAGES_LOCKED)) {
        MiReportMdl(Mdl, 0x7C, (UINT64)Mdl, Flags, 0, "mdl.not-locked",
                    "MmUnlockPages was called for an MDL that is not locked");
        return;
    }
    if (Flags & MDL_MAPPED_TO_SYSTEM_VA)
        MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
    for (UINT64 i = 0; i < MiMdlPages(Mdl); i++)
        MiCountLock(MmGetMdlPfnArray(Mdl)[i], -1);
    if (Mdl->Process)
        Mdl->Process->LockedPages -= (LONG)MiMdlPages(Mdl);
    Mdl->MdlFlags &= ~(MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
}

/* ---- Mapping --------------------------------------------------------------------------------------------------------
 */

/* A range of the current process that shows the MDL's pages. Raises when it cannot be had. */
static PVOID MiMapForUser(PMDL Mdl, PVOID Requested, ULONG Protection)
{
    UINT64 Bytes = MiMdlPages(Mdl) * PAGE_SIZE, Start = (UINT64)Requested;
    ULONG Protect = Protection & DOOR_WRITE ? PAGE_READWRITE : PAGE_READONLY;
    PMI_SPACE Space = MiCurrentSpace();
    PMI_VAD Vad;

    if (!Space || (Requested && (Start & (PAGE_SIZE - 1) || Start < Space->Low || Start > Space->High ||
                                 Bytes > Space->High - Start)))
        ExRaiseStatus(STATUS_INVALID_ADDRESS);
    if (Requested && MiFirstOverlap(Space, Start, Start + Bytes))
        ExRaiseStatus(STATUS_CONFLICTING_ADDRESSES);
    if (!Start)
        Start = MiChoose(Space, Bytes, Space->High);
    Vad = Start ? MiInsertVad(Space, Start, Bytes, MEM_PRIVATE, Protect) : NULL;
    if (!Vad)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    Vad->OfMdl = TRUE;
    if (!MiSetEntries(Space, Vad, Start, Start + Bytes, Protect)) {
        MiRemoveVad(Space, Vad);
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    for (UINT64 i = 0; i < Bytes / PAGE_SIZE; i++)
        *MiEntry(Vad, Start + i * PAGE_SIZE, FALSE) |= (UINT64)MmGetMdlPfnArray(Mdl)[i] * PAGE_SIZE;
    return (PUCHAR)Start + Mdl->ByteOffset;
}

/* The range is gone if it was one of these. */
static BOOLEAN MiUnmapForUser(PVOID Address, PMDL Mdl)
{
    PMI_SPACE Space = MiCurrentSpace();
    PMI_VAD Vad = Space ? MiFindVad(Space, (UINT64)Address) : NULL;

    if (!Vad || !Vad->OfMdl || Vad->Start != ((UINT64)Address & ~(UINT64)(PAGE_SIZE - 1)) ||
        Vad->End - Vad->Start != MiMdlPages(Mdl) * PAGE_SIZE)
        return FALSE;
    MiRemoveVad(Space, Vad);
    return TRUE;
}

/* docs: Bug check 0x3F (NO_MORE_SYSTEM_PTES). The caller has asked for the stop: nothing could be returned to it. */
static DECLSPEC_NORETURN VOID MiNoMoreAddresses(PMDL Mdl)
{
    UINT64 Pages = MiMdlPages(Mdl), All, Free = MiFreeMappingPages(&All);

    VfFinding("mdl.no-more-addresses", 0x3F, 0, Pages, Free, All);
    VfSubject("MDL");
    VfText("system addresses for the %llu pages of an MDL, whose mapping was not to fail, cannot be had", Pages);
    VfNoteCaller(NULL);
    VfCommit();
    KiBugCheck(0x3F, 0, Pages, Free, All);
}

PVOID NTAPI MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                         MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress, ULONG BugCheckOnFailure,
                                         MM_PAGE_PRIORITY Priority)
{
    PMDL Mdl = MemoryDescriptorList;
    USHORT Flags = (USHORT)Mdl->MdlFlags;
    USHORT Wrong = Flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL_HAS_BEEN_MAPPED);
    ULONG Protection = (ULONG)Priority & MdlMappingNoWrite ? DOOR_READ : DOOR_READ | DOOR_WRITE;
    PVOID Va;

    if (AccessMode != KernelMode && (Flags & MI_DESCRIBED))
        return MiMapForUser(Mdl, RequestedAddress, Protection);
    if (AccessMode != KernelMode)
        Wrong = 0;                           /* a mapping for a program leaves the flags alone */
    if (Flags & MDL_PARENT_MAPPED_SYSTEM_VA) /* it gets an address of its own */
        Wrong &= ~MDL_MAPPED_TO_SYSTEM_VA;
    if (Wrong) {
        MiReportMdl(Mdl, 0xB2, (UINT64)Mdl, Flags, Wrong, "mdl.mapped-twice",
                    "an MDL was mapped that has a system address already (see MmGetSystemAddressForMdlSafe)");
        return Mdl->MappedSystemVa;
    }
    if (!(Flags & MI_DESCRIBED)) {
        MiReportMdl(Mdl, 0xB3, (UINT64)Mdl, Flags, MDL_PAGES_LOCKED | MDL_PARTIAL, "mdl.map-unlocked",
                    "an MDL was mapped whose pages are not locked");
        return NULL;
    }
    Va = MiMapFrames(MmGetMdlPfnArray(Mdl), MiMdlPages(Mdl), Protection);
    if (!Va) {
        if (BugCheckOnFailure)
            MiNoMoreAddresses(Mdl);
        return NULL;
    }
    Mdl->MappedSystemVa = (PUCHAR)Va + Mdl->ByteOffset;
    Mdl->MdlFlags &= ~MDL_PARENT_MAPPED_SYSTEM_VA;
    Mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA | (Flags & MDL_PARTIAL ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0);
    return Mdl->MappedSystemVa;
}

PVOID NTAPI MmMapLockedPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode)
{
    return MmMapLockedPagesSpecifyCache(MemoryDescriptorList, AccessMode, MmCached, NULL, TRUE, HighPagePriority);
}

VOID NTAPI MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList)
{
    PMDL Mdl = MemoryDescriptorList;
    USHORT Flags = (USHORT)Mdl->MdlFlags;

    if ((UINT64)BaseAddress < DOOR_KERNEL_BASE && MiUnmapForUser(BaseAddress, Mdl))
        return;
    if ((UINT64)BaseAddress < DOOR_KERNEL_BASE) {
        MiReportMdl(Mdl, 0xB9, (UINT64)BaseAddress, (UINT64)Mdl, 0, "mdl.not-mapped",
                    "MmUnmapLockedPages was called with a user address at which nothing is mapped");
        return;
    }
    if (Flags & MDL_PARENT_MAPPED_SYSTEM_VA) {
        MiReportMdl(Mdl, 0xB5, (UINT64)Mdl, Flags, MDL_PARENT_MAPPED_SYSTEM_VA, "mdl.not-mapped",
                    "MmUnmapLockedPages was called for a partial MDL whose mapping belongs to its source");
        return;
    }
    if (!(Flags & MDL_MAPPED_TO_SYSTEM_VA) || BaseAddress != Mdl->MappedSystemVa ||
        !MiUnmapFrames(PAGE_ALIGN(BaseAddress), MiMdlPages(Mdl))) {
        MiReportMdl(Mdl, 0xB6, (UINT64)Mdl, Flags, MDL_MAPPED_TO_SYSTEM_VA, "mdl.not-mapped",
                    "MmUnmapLockedPages was called for an MDL that is not mapped there");
        return;
    }
    Mdl->MdlFlags &= ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
}

/* docs: MmAdvanceMdl: the MDL begins NumberOfBytes later; pages that are left behind are unlocked. */
NTSTATUS NTAPI MmAdvanceMdl(PMDL Mdl, ULONG NumberOfBytes)
{
    UINT64 Pages = MiMdlPages(Mdl), Gone = (Mdl->ByteOffset + (UINT64)NumberOfBytes) / PAGE_SIZE;
    PFN_NUMBER *Frames = MmGetMdlPfnArray(Mdl);

    if (NumberOfBytes >= Mdl->ByteCount)
        return STATUS_INVALID_PARAMETER_2;
    if (Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED))
        return STATUS_INVALID_PARAMETER_1; /* DIFFERS: a mapped MDL is not advanced */
    for (UINT64 i = 0; i < Pages; i++) {
        if (i < Gone && (Mdl->MdlFlags & MDL_PAGES_LOCKED))
            MiCountLock(Frames[i], -1);
        else if (i >= Gone)
            Frames[i - Gone] = Frames[i];
    }
    if (Mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL)
        Mdl->MappedSystemVa = (PUCHAR)Mdl->MappedSystemVa + NumberOfBytes;
    Mdl->StartVa = (PUCHAR)Mdl->StartVa + Gone * PAGE_SIZE;
    Mdl->ByteOffset = (ULONG)(Mdl->ByteOffset + NumberOfBytes) & (PAGE_SIZE - 1);
    Mdl->ByteCount -= NumberOfBytes;
    return STATUS_SUCCESS;
}

/* What a PAGE_ constant allows; FALSE = none of those that a mapping may have. */
static BOOLEAN MiMdlProtection(ULONG Protect, PULONG Protection)
{
    switch (Protect) {
    case PAGE_NOACCESS:
        *Protection = DOOR_NONE;
        return TRUE;
    case PAGE_READONLY:
        *Protection = DOOR_READ;
        return TRUE;
    case PAGE_READWRITE:
        *Protection = DOOR_READ | DOOR_WRITE;
        return TRUE;
    case PAGE_EXECUTE:
    case PAGE_EXECUTE_READ:
        *Protection = DOOR_READ | DOOR_EXECUTE;
        return TRUE;
    case PAGE_EXECUTE_READWRITE:
        *Protection = DOOR_READ | DOOR_WRITE | DOOR_EXECUTE;
        return TRUE;
    }
    return FALSE;
}

/* docs: MmProtectMdlSystemAddress */
NTSTATUS NTAPI MmProtectMdlSystemAddress(PMDL MemoryDescriptorList, ULONG NewProtect)
{
    ULONG Protection;

    if (!(MemoryDescriptorList->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA))
        return STATUS_NOT_MAPPED_VIEW;
    if (!MiMdlProtection(NewProtect, &Protection))
        return STATUS_INVALID_PAGE_PROTECTION;
    MiProtect((UINT64)PAGE_ALIGN(MemoryDescriptorList->MappedSystemVa), MiMdlPages(MemoryDescriptorList) * PAGE_SIZE,
              Protection);
    return STATUS_SUCCESS;
}

/* docs: MmMapMdl: mapped for the call of the driver's routine, unless it is mapped already. */
NTSTATUS NTAPI MmMapMdl(PMDL MemoryDescriptorList, ULONG Protection, PMM_MDL_ROUTINE DriverRoutine, PVOID DriverContext)
{
    PMDL Mdl = MemoryDescriptorList;
    USHORT Flags = (USHORT)Mdl->MdlFlags;
    PVOID Va = Mdl->MappedSystemVa, Mapped = NULL;
    ULONG Door;
    VF_CALLBACK Callback;

    if (!MiMdlProtection(Protection, &Door))
        return STATUS_INVALID_PAGE_PROTECTION;
    if (!(Flags & MI_DESCRIBED)) {
        MiReportMdl(Mdl, 0xB3, (UINT64)Mdl, Flags, MDL_PAGES_LOCKED | MDL_PARTIAL, "mdl.map-unlocked",
                    "an MDL was mapped whose pages are not locked");
        return STATUS_INVALID_PARAMETER;
    }
    if (!(Flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARENT_MAPPED_SYSTEM_VA))) {
        Mapped = MiMapFrames(MmGetMdlPfnArray(Mdl), MiMdlPages(Mdl), Door);
        if (!Mapped)
            return STATUS_INSUFFICIENT_RESOURCES;
        Va = (PUCHAR)Mapped + Mdl->ByteOffset;
    }
    IopEnter(&Callback, "MM_MDL_ROUTINE", "called with a mapped MDL", (PVOID)(ULONG_PTR)DriverRoutine, NULL);
    DriverRoutine(DriverContext, Va);
    VfLeaveCallback(&Callback);
    if (Mapped)
        MiUnmapFrames(Mapped, MiMdlPages(Mdl));
    return STATUS_SUCCESS;
}

/* docs: MmAllocateMdlForIoSpace: ranges of device memory, whole pages each; IoFreeMdl frees it. */
NTSTATUS NTAPI MmAllocateMdlForIoSpace(PMM_PHYSICAL_ADDRESS_LIST PhysicalAddressList, SIZE_T NumberOfEntries,
                                       PMDL *NewMdl)
{
    UINT64 Bytes = 0, Done = 0;
    PMDL Mdl;

    *NewMdl = NULL;
    for (SIZE_T i = 0; i < NumberOfEntries; i++) {
        UINT64 Start = (UINT64)PhysicalAddressList[i].PhysicalAddress.QuadPart;
        UINT64 Length = PhysicalAddressList[i].NumberOfBytes;
        if (!Length || ((Start | Length) & (PAGE_SIZE - 1)) || Length > MI_MDL_LIMIT ||
            Start < MiPageCount << MI_PAGE_SHIFT || (Bytes += Length) > MI_MDL_LIMIT)
            return STATUS_INVALID_PARAMETER_1;
    }
    if (!Bytes)
        return STATUS_INVALID_PARAMETER_1;
    Mdl = MiAllocateMdl(NULL, Bytes, VfCaptureStack(), __builtin_return_address(0));
    if (!Mdl)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (SIZE_T i = 0; i < NumberOfEntries; i++)
        for (UINT64 At = 0; At < PhysicalAddressList[i].NumberOfBytes; At += PAGE_SIZE)
            MmGetMdlPfnArray(Mdl)[Done++] =
                (PFN_NUMBER)(((UINT64)PhysicalAddressList[i].PhysicalAddress.QuadPart + At) >> MI_PAGE_SHIFT);
    Mdl->MdlFlags |= MDL_PAGES_LOCKED | MDL_IO_SPACE;
    *NewMdl = Mdl;
    return STATUS_SUCCESS;
}

/* ---- MDLs of fresh pages --------------------------------------------------------------------------------------------
 */

static PMDL MiAllocatePagesForMdl(UINT64 Low, UINT64 High, UINT64 Skip, SIZE_T TotalBytes, ULONG Flags, ULONG Stack,
                                  PVOID Caller)
{
    UINT64 Wanted = (TotalBytes + PAGE_SIZE - 1) / PAGE_SIZE, Done = 0, Chunk = 1;
    MI_PLACE Place = {Low / PAGE_SIZE, High / PAGE_SIZE + 1, 1, 0};
    PMDL Mdl;

    UINT64 Kept = MiPageCount / MI_KEPT_BACK, Most = MiFreePageCount() > Kept ? MiFreePageCount() - Kept : 0;

    if (!Wanted || TotalBytes > MI_MDL_LIMIT || !Most)
        return NULL;
    if (Wanted > Most) { /* docs: MmAllocatePagesForMdl: there may be fewer pages than were asked for */
        if (Flags & (MM_ALLOCATE_FULLY_REQUIRED | MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS))
            return NULL;
        Wanted = Most;
        TotalBytes = Most * PAGE_SIZE;
    }
    if (Flags & MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS) {
        Chunk = Skip ? Skip / PAGE_SIZE : Wanted;
        if (Chunk == 0 || (Chunk & (Chunk - 1)) || Wanted % Chunk)
            return NULL;
        Skip = 0;
    }
    if ((Mdl = MiAllocateMdl(NULL, TotalBytes, Stack, Caller)) == NULL)
        return NULL;
    while (Done < Wanted) {
        UINT64 Physical = MiAllocatePagesAt(Chunk, &Place);
        if (!Physical) {
            if (!Skip || Place.High + Skip / PAGE_SIZE > MiPageCount)
                break;
            Place.Low += Skip / PAGE_SIZE;
            Place.High += Skip / PAGE_SIZE;
            continue;
        }
        MiSetPages(Physical, Chunk, MiUseMdl, 0, NULL);
        for (UINT64 i = 0; i < Chunk; i++)
            MmGetMdlPfnArray(Mdl)[Done++] = (PFN_NUMBER)(Physical / PAGE_SIZE + i);
    }
    Mdl->ByteCount = Done < Wanted ? (ULONG)(Done * PAGE_SIZE) : (ULONG)TotalBytes;
    Mdl->MdlFlags |= MDL_PAGES_LOCKED;
    for (UINT64 i = 0; i < Done; i++)
        MiCountLock(MmGetMdlPfnArray(Mdl)[i], 1);
    if (!Done || (Done < Wanted && (Flags & MM_ALLOCATE_FULLY_REQUIRED))) {
        MmFreePagesFromMdl(Mdl);
        ExpFreeForDriver((UINT64)Mdl, 0, Caller, 0);
        return NULL;
    }
    return Mdl;
}

PMDL NTAPI MmAllocatePagesForMdl(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                                 SIZE_T TotalBytes)
{
    return MiAllocatePagesForMdl((UINT64)LowAddress.QuadPart, (UINT64)HighAddress.QuadPart, (UINT64)SkipBytes.QuadPart,
                                 TotalBytes, 0, VfCaptureStack(), __builtin_return_address(0));
}

PMDL NTAPI MmAllocatePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                                   PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType,
                                   ULONG Flags)
{
    return MiAllocatePagesForMdl((UINT64)LowAddress.QuadPart, (UINT64)HighAddress.QuadPart, (UINT64)SkipBytes.QuadPart,
                                 TotalBytes, Flags, VfCaptureStack(), __builtin_return_address(0));
}

/* The MDL itself stays: its owner frees it with ExFreePool (docs: MmFreePagesFromMdl). */
VOID NTAPI MmFreePagesFromMdl(PMDL MemoryDescriptorList)
{
    PMDL Mdl = MemoryDescriptorList;

    if (Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA)
        MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
    for (UINT64 i = 0; i < MiMdlPages(Mdl); i++) {
        PFN_NUMBER Frame = MmGetMdlPfnArray(Mdl)[i];
        if (Frame >= MiPageCount || MiPages[Frame].Use != MiUseMdl) {
            MiReportMdl(Mdl, 0x7C, (UINT64)Mdl, (USHORT)Mdl->MdlFlags, 0, "mdl.bad-free-pages",
                        "MmFreePagesFromMdl was called for pages that MmAllocatePagesForMdl did not allocate");
            return;
        }
        MiCountLock(Frame, -1);
        MiFreePages((UINT64)Frame * PAGE_SIZE, 1);
    }
    Mdl->MdlFlags &= ~MDL_PAGES_LOCKED;
    Mdl->ByteCount = 0;
}
