/*
 * Unlocks a partial MDL: its pages belong to its source.
 *
 * EXPECT: mdl\.unlock-partial bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

#define TAG 'niwT'

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PVOID Block = ExAllocatePoolWithTag(PagedPool, 5000, TAG);
    PMDL Mdl, Part;

    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    Mdl = IoAllocateMdl(Block, 5000, FALSE, FALSE, NULL);
    if (!Mdl) {
        ExFreePoolWithTag(Block, TAG);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MmProbeAndLockPages(Mdl, KernelMode, IoModifyAccess);
    Part = IoAllocateMdl((PUCHAR)Block + 100, 200, FALSE, FALSE, NULL);
    if (Part) {
        IoBuildPartialMdl(Mdl, Part, (PUCHAR)Block + 100, 200);
        MmUnlockPages(Part);
        IoFreeMdl(Part);
    }
    MmUnlockPages(Mdl);
    IoFreeMdl(Mdl);
    ExFreePoolWithTag(Block, TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
