/*
 * Deletes a resource that it owns.
 *
 * EXPECT: resource\.deleted-owned bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static ERESOURCE Resource;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeResourceLite(&Resource);
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    ExDeleteResourceLite(&Resource);
    KeLeaveCriticalRegion();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
