/*
 * Acquires a push lock where its thread can be suspended while others wait for it.
 *
 * EXPECT: pushlock\.apcs-enabled bad\.c:@ in DriverEntry
 */
#include <ntifs.h>

static EX_PUSH_LOCK PushLock;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializePushLock(&PushLock);
    ExAcquirePushLockExclusive(&PushLock); /* @ */
    ExReleasePushLockExclusive(&PushLock);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
