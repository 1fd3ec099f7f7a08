/*
 * Releases a spin lock before it waits for a routine that needs the lock.
 */
#include <ntddk.h>

static KSPIN_LOCK SpinLock;
static KEVENT Done;

static VOID NTAPI Routine(PVOID Context)
{
    KIRQL OldIrql;

    KeAcquireSpinLock(&SpinLock, &OldIrql);
    KeReleaseSpinLock(&SpinLock, OldIrql);
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    static WORK_QUEUE_ITEM Item;
    KIRQL OldIrql;

    KeInitializeSpinLock(&SpinLock);
    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    ExInitializeWorkItem(&Item, Routine, NULL);
    KeAcquireSpinLock(&SpinLock, &OldIrql);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    KeReleaseSpinLock(&SpinLock, OldIrql);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
