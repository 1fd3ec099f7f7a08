/*
 * Looks whether there is one.
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
    if (Entry)
        Entry->Blink = NULL;
    KeReleaseSpinLock(&Lock, Old);
    return STATUS_SUCCESS;
}
