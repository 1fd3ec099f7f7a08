/*
 * Frees what it has kept when it is unloaded.
 */
#include <ntddk.h>

#define TAG 'niwT'

static PVOID Kept;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    ExFreePoolWithTag(Kept, TAG);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    if (!(Kept = ExAllocatePoolWithTag(PagedPool, 100, TAG)))
        return STATUS_INSUFFICIENT_RESOURCES;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
