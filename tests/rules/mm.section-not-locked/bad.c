/*
 * Unlocks a pageable section that is not locked.
 *
 * EXPECT: mm\.section-not-locked bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

__attribute__((section("PAGEDATA"))) volatile ULONG PagedData[16] = {1};

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    MmUnlockPagableImageSection((PVOID)PagedData);
    PagedData[0]++;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
