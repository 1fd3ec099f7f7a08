/*
 * What is locked as a pageable section is a part of a driver.
 */
#include <ntddk.h>

__attribute__((section("PAGEDATA"))) volatile ULONG PagedData = 1;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    PVOID Handle = MmLockPagableDataSection((PVOID)&PagedData);
    PagedData = 2;
    MmUnlockPagableImageSection(Handle);
    return STATUS_SUCCESS;
}
