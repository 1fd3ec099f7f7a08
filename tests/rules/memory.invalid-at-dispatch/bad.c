/*
 * A member of a NULL structure, under a spin lock: there is no memory at any level.
 *
 * EXPECT: memory.invalid bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static LIST_ENTRY *volatile Entry;
static KSPIN_LOCK Lock;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLock(&Lock, &Old);
    Entry->Blink = NULL; /* @ */
    KeReleaseSpinLock(&Lock, Old);
    return STATUS_SUCCESS;
}
