/*
 * Deletes a resource when no other thread can own it any more: after its release, or as its only owner.
 */
#include <ntddk.h>

static ERESOURCE Resource;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

static VOID Use(BOOLEAN Release)
{
    ExInitializeResourceLite(&Resource);
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    if (Release)
        ExReleaseResourceLite(&Resource);
    ExDeleteResourceLite(&Resource);
    KeLeaveCriticalRegion();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    Use(TRUE);
    Use(FALSE);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
