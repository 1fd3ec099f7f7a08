/*
 * Releases a fast mutex that nobody holds.
 *
 * EXPECT: mutex\.not-owned bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static FAST_MUTEX Mutex;
static KIRQL Irql;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeFastMutex(&Mutex);
    KeEnterCriticalRegion();
    KeRaiseIrql(APC_LEVEL, &Irql);
    ExReleaseFastMutex(&Mutex);
    KeLowerIrql(Irql);
    KeLeaveCriticalRegion();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
