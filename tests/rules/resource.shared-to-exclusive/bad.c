/*
 * Waits to own exclusively a resource that it shares: it would wait for itself.
 *
 * EXPECT: resource\.shared-to-exclusive bad\.c:[0-9]+ in DriverEntry
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
    ExAcquireResourceSharedLite(&Resource, TRUE);
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    ExReleaseResourceLite(&Resource);
    ExReleaseResourceLite(&Resource);
    KeLeaveCriticalRegion();
    ExDeleteResourceLite(&Resource);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
