/*
 * Maps more than all system addresses for MDLs, and has said that this cannot fail.
 *
 * EXPECT: mdl\.no-more-addresses bad\.c:@ in DriverEntry
 */
#include <ntddk.h>

NTKERNELAPI NTSTATUS NTAPI MmAllocateMdlForIoSpace(PMM_PHYSICAL_ADDRESS_LIST List, SIZE_T Entries, PMDL *Mdl);

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    MM_PHYSICAL_ADDRESS_LIST Aperture = {{.QuadPart = 1ll << 40}, 0x90000000}; /* more than half of what there is */
    PVOID Mapped[2] = {NULL, NULL};
    PMDL Mdl[2] = {NULL, NULL};

    Driver->DriverUnload = Unload;
    for (ULONG i = 0; i < 2; i++)
        if (NT_SUCCESS(MmAllocateMdlForIoSpace(&Aperture, 1, &Mdl[i])))
            Mapped[i] =
                MmMapLockedPagesSpecifyCache(Mdl[i], KernelMode, MmNonCached, NULL, TRUE, HighPagePriority); /* @ */
    for (ULONG i = 0; i < 2; i++) {
        if (Mapped[i])
            MmUnmapLockedPages(Mapped[i], Mdl[i]);
        if (Mdl[i])
            IoFreeMdl(Mdl[i]);
    }
    return STATUS_SUCCESS;
}
