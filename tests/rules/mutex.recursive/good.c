/*
 * Acquires a fast mutex again after it has released it.
 */
#include <ntddk.h>

static FAST_MUTEX Mutex;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeFastMutex(&Mutex);
    ExAcquireFastMutex(&Mutex);
    ExReleaseFastMutex(&Mutex);
    ExAcquireFastMutex(&Mutex);
    ExReleaseFastMutex(&Mutex);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
