/*
 * Unmaps the MDL before it frees the mapping.
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PVOID Mapping = MmAllocateMappingAddress(2 * PAGE_SIZE, 'Rsrv');
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, 'Rsrv');
    PMDL Mdl = IoAllocateMdl(Block, PAGE_SIZE, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(Mdl);
    MmMapLockedPagesWithReservedMapping(Mapping, 'Rsrv', Mdl, MmCached);
    MmUnmapReservedMapping(Mapping, 'Rsrv', Mdl);
    MmFreeMappingAddress(Mapping, 'Rsrv');
    IoFreeMdl(Mdl);
    ExFreePoolWithTag(Block, 'Rsrv');
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
