/*
 * Locks and unlocks a pageable section.
 */
#include <ntddk.h>

__attribute__((section("PAGEDATA"))) volatile ULONG PagedData[16] = {1};

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PVOID Handle = MmLockPagableDataSection((PVOID)PagedData);

    PagedData[0]++;
    MmUnlockPagableImageSection(Handle);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
