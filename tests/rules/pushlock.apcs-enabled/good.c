/*
 * Acquires a push lock inside a critical region.
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
    ExAcquirePushLockExclusive(&PushLock);
    ExReleasePushLockExclusive(&PushLock);
    KeLeaveCriticalRegion();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
