/*
 * Acquires a fast mutex by the unsafe form outside of a critical region.
 *
 * EXPECT: mutex\.apcs-enabled bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static FAST_MUTEX Mutex;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeFastMutex(&Mutex);
    ExAcquireFastMutexUnsafe(&Mutex);
    ExReleaseFastMutexUnsafe(&Mutex);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
