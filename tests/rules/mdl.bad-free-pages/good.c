/*
 * Fills and frees pages made by MmAllocatePagesForMdl.
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PHYSICAL_ADDRESS Low = {.QuadPart = 0}, High = {.QuadPart = -1}, Skip = {.QuadPart = 0};
    PMDL Mdl = MmAllocatePagesForMdl(Low, High, Skip, 20000);

    if (!Mdl)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority))
        RtlFillMemory(Mdl->MappedSystemVa, 20000, 0x11);
    MmFreePagesFromMdl(Mdl);
    ExFreePool(Mdl);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
