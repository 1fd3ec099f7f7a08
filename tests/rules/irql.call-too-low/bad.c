/*
 * A routine named AtDpcLevel does not raise the level itself: its caller must be at DISPATCH_LEVEL, or a DPC that wants
 * the same lock hangs its processor. This caller is at PASSIVE_LEVEL.
 *
 * EXPECT: irql.call-too-low bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLockAtDpcLevel(&Lock); /* @ */
    KeReleaseSpinLockFromDpcLevel(&Lock);
    return STATUS_SUCCESS;
}
