/*
 * Frees a reserved mapping that an MDL is still mapped by.
 *
 * EXPECT: memory\.reserved-mapping bad\.c:@ in DriverEntry
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
    MmFreeMappingAddress(Mapping, 'Rsrv'); /* @ */
    IoFreeMdl(Mdl);
    ExFreePoolWithTag(Block, 'Rsrv');
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
