/*
 * Remove locks: a device's requests in progress, and waiting for the last of them (docs: IoAcquireRemoveLock).
 */
#include "nt.h"

VOID NTAPI IoInitializeRemoveLockEx(PIO_REMOVE_LOCK Lock, ULONG Tag, ULONG MaximumMinutes, ULONG HighWatermark,
                                    ULONG Bytes)
{
    Lock->Common.Removed = FALSE;
    Lock->Common.IoCount = 1;
    KeInitializeEvent(&Lock->Common.RemoveEvent, SynchronizationEvent, FALSE);
}

NTSTATUS NTAPI IoAcquireRemoveLockEx(PIO_REMOVE_LOCK Lock, PVOID Tag, PCSTR File, ULONG Line, ULONG Bytes)
{
    InterlockedIncrement(&Lock->Common.IoCount);
    if (!Lock->Common.Removed)
        return STATUS_SUCCESS;
    if (InterlockedDecrement(&Lock->Common.IoCount) == 0)
        KeSetEvent(&Lock->Common.RemoveEvent, IO_NO_INCREMENT, FALSE);
    return STATUS_DELETE_PENDING;
}

VOID NTAPI IoReleaseRemoveLockEx(PIO_REMOVE_LOCK Lock, PVOID Tag, ULONG Bytes)
{
    if (InterlockedDecrement(&Lock->Common.IoCount) == 0)
        KeSetEvent(&Lock->Common.RemoveEvent, IO_NO_INCREMENT, FALSE);
}

/* The caller holds the lock: its share and the one of the initialization go here. */
VOID NTAPI IoReleaseRemoveLockAndWaitEx(PIO_REMOVE_LOCK Lock, PVOID Tag, ULONG Bytes)
{
    Lock->Common.Removed = TRUE;
    InterlockedDecrement(&Lock->Common.IoCount);
    if (InterlockedDecrement(&Lock->Common.IoCount) > 0)
        KeWaitForSingleObject(&Lock->Common.RemoveEvent, Executive, KernelMode, FALSE, NULL);
}
