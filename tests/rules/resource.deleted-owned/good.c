/*
 * Releases a resource before it deletes it.
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
    ExReleaseResourceLite(&Resource);
    ExDeleteResourceLite(&Resource);
    KeLeaveCriticalRegion();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
