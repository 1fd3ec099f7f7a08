/*
 * Deletes a resource that another thread owns.
 *
 * EXPECT: resource\.deleted-owned bad\.c:@ in DriverEntry
 */
#include <ntifs.h>

static ERESOURCE Resource;
static KEVENT Owned, Over;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

static VOID NTAPI Owner(PVOID Context)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    KeSetEvent(&Owned, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Over, Executive, KernelMode, FALSE, NULL);
    ExReleaseResourceLite(&Resource);
    KeLeaveCriticalRegion();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    HANDLE Thread;

    ExInitializeResourceLite(&Resource);
    KeInitializeEvent(&Owned, NotificationEvent, FALSE);
    KeInitializeEvent(&Over, NotificationEvent, FALSE);
    PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Owner, NULL);
    KeWaitForSingleObject(&Owned, Executive, KernelMode, FALSE, NULL);
    ExDeleteResourceLite(&Resource); /* @ */
    KeSetEvent(&Over, IO_NO_INCREMENT, FALSE);
    ZwWaitForSingleObject(Thread, FALSE, NULL);
    ZwClose(Thread);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
