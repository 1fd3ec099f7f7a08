/*
 * What is locked as a pageable section is a part of a driver. A block of the pool is none.
 *
 * EXPECT: mm.no-section bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    PULONG Data = ExAllocatePoolWithTag(PagedPool, sizeof(*Data), 'eluR');
    if (!Data)
        return STATUS_INSUFFICIENT_RESOURCES;
    PVOID Handle = MmLockPagableDataSection(Data); /* @ */
    *Data = 1;
    if (Handle)
        MmUnlockPagableImageSection(Handle);
    ExFreePoolWithTag(Data, 'eluR');
    return STATUS_SUCCESS;
}
