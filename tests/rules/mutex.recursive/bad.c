/*
 * Acquires a fast mutex that it holds: it would wait for itself for ever.
 *
 * EXPECT: mutex\.recursive bad\.c:[0-9]+ in DriverEntry
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
    ExAcquireFastMutexUnsafe(&Mutex);
    ExReleaseFastMutex(&Mutex);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
