/*
 * The compiler aligns the resource.
 */
#include <ntddk.h>

typedef struct _EXTENSION {
    ULONG Flags;
    ERESOURCE Resource;
} EXTENSION;

static EXTENSION Extension;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PERESOURCE Resource = (PVOID)((PUCHAR)&Extension + FIELD_OFFSET(EXTENSION, Resource));

    ExInitializeResourceLite(Resource);
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(Resource, TRUE);
    ExReleaseResourceLite(Resource);
    KeLeaveCriticalRegion();
    ExDeleteResourceLite(Resource);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
