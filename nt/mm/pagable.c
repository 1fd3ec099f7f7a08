/*
 * Pageable parts of drivers: locking PAGE sections while they must be resident, and paging a whole driver while it is
 * idle. A handle is the address of the section. (docs: MmLockPagableDataSection, MmLockPagableSectionByHandle,
 * MmUnlockPagableImageSection, MmPageEntireDriver, MmResetDriverPaging)
 *
 * DIFFERS: sections that are only read stay resident when a whole driver is paged, for they hold the unwind data that
 * stack walks need at any level.
 */
#include "nt.h"
#include <ntimage.h>
#include "mm/page.h"

static VOID MiReportNoSection(PCSTR Routine, PVOID Address)
{
    VfFinding("mm.no-section", 0x1A, 0x1236, (UINT64)Address, 0, 0); /* MEMORY_MANAGEMENT */
    VfSubject(Routine);
    VfText("%s was called with something that lies in no section of a driver", Routine);
    VfNoteCaller(NULL);
    VfCommit();
}

/* The section's address, or NULL. */
static PVOID MiSectionHandle(PVOID Address)
{
    PMI_IMAGE Image = MmImageOf((UINT64)Address);
    const struct door_section *Section = Image ? MiSectionOf(Image, (UINT64)Address) : NULL;

    return Section ? (PVOID)(Image->Base + Section->rva) : NULL;
}

PVOID NTAPI MmLockPagableDataSection(PVOID AddressWithinSection)
{
    PVOID Handle = MiSectionHandle(AddressWithinSection);

    if (Handle)
        MiPinPageable((UINT64)Handle, 1); /* a resident section has nothing to pin */
    else
        MiReportNoSection("MmLockPagableDataSection", AddressWithinSection);
    return Handle;
}

VOID NTAPI MmLockPagableSectionByHandle(PVOID ImageSectionHandle)
{
    if (MiSectionHandle(ImageSectionHandle) == ImageSectionHandle && ImageSectionHandle)
        MiPinPageable((UINT64)ImageSectionHandle, 1);
    else
        MiReportNoSection("MmLockPagableSectionByHandle", ImageSectionHandle);
}

VOID NTAPI MmUnlockPagableImageSection(PVOID ImageSectionHandle)
{
    UINT64 Bytes;

    if (MiSectionHandle(ImageSectionHandle) != ImageSectionHandle || !ImageSectionHandle)
        MiReportNoSection("MmUnlockPagableImageSection", ImageSectionHandle);
    else if (MiPageableOf((UINT64)ImageSectionHandle, &Bytes) && !MiPinPageable((UINT64)ImageSectionHandle, -1)) {
        VfFinding("mm.section-not-locked", 0x1A, 0x1010, (UINT64)ImageSectionHandle, 0, 0);
        VfSubject("MmUnlockPagableImageSection");
        VfText("a pageable section was unlocked that is not locked");
        VfNoteCaller(NULL);
        VfCommit();
    }
}

static BOOLEAN MiMayPage(const struct door_section *Section)
{
    return (Section->characteristics & (IMAGE_SCN_MEM_EXECUTE | IMAGE_SCN_MEM_WRITE)) && !MiIsInitSection(Section) &&
           !(Section->characteristics & 0x08000000); /* IMAGE_SCN_MEM_NOT_PAGED */
}

PVOID NTAPI MmPageEntireDriver(PVOID AddressWithinSection)
{
    PMI_IMAGE Image = MmImageOf((UINT64)AddressWithinSection);
    UINT64 Bytes;

    if (!Image || !Image->Driver) {
        MiReportNoSection("MmPageEntireDriver", AddressWithinSection);
        return NULL;
    }
    for (ULONG i = 0; i < Image->Info.section_count; i++) {
        const struct door_section *Section = &Image->Info.section[i];
        if (MiMayPage(Section) && !MiPageableOf(Image->Base + Section->rva, &Bytes))
            MiRegisterPageable(Image->Base + Section->rva, Section->bytes, MiSectionProtection(Section));
    }
    return (PVOID)Image->Base;
}

VOID NTAPI MmResetDriverPaging(PVOID AddressWithinSection)
{
    PMI_IMAGE Image = MmImageOf((UINT64)AddressWithinSection);

    if (!Image || !Image->Driver) {
        MiReportNoSection("MmResetDriverPaging", AddressWithinSection);
        return;
    }
    for (ULONG i = 0; i < Image->Info.section_count; i++) {
        const struct door_section *Section = &Image->Info.section[i];
        UINT64 Start = Image->Base + Section->rva, Bytes;
        if (!MiMayPage(Section) || MiIsPageSection(Section) || MiPageableOf(Start, &Bytes) != Start)
            continue;
        MiUnregisterPageable(Start);
        MiProtect(Start, Section->bytes, MiSectionProtection(Section));
    }
}
