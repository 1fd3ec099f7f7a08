/*
 * Releases a push lock as often as it has acquired it.
 */
#include <ntifs.h>

static EX_PUSH_LOCK PushLock;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializePushLock(&PushLock);
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&PushLock);
    ExAcquirePushLockShared(&PushLock);
    ExReleasePushLockShared(&PushLock);
    ExReleasePushLockShared(&PushLock);
    KeLeaveCriticalRegion();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
