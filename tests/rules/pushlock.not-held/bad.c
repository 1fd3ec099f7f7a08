/*
 * Releases a push lock twice.
 *
 * EXPECT: pushlock\.not-held bad\.c:@ in DriverEntry
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
    ExReleasePushLockShared(&PushLock);
    ExReleasePushLockShared(&PushLock); /* @ */
    KeLeaveCriticalRegion();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
