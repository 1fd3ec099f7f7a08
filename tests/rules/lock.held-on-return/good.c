/*
 * A driver's routine returns holding no spin lock.
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static KDPC Dpc;
static BOOLEAN Failed = TRUE;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeAcquireSpinLockAtDpcLevel(&Lock);
    if (Failed) {
        KeReleaseSpinLockFromDpcLevel(&Lock);
        return;
    }
    KeReleaseSpinLockFromDpcLevel(&Lock);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
