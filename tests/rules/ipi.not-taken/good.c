/*
 * The lock is released before the call.
 * OPTIONS: --cpus 2
 */
#include <ntifs.h>
#include <ntddk.h>

static KSPIN_LOCK Lock;
static volatile LONG Ready;
static PVOID Taker;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI TakeHigh(PVOID Context)
{
    KIRQL OldIrql;

    KeSetSystemAffinityThread(2);
    KeRaiseIrql(HIGH_LEVEL, &OldIrql);
    Ready = 1;
    KeAcquireSpinLockAtDpcLevel(&Lock);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    KeLowerIrql(OldIrql);
}

static ULONG_PTR NTAPI Nothing(ULONG_PTR Context)
{
    return 0;
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeWaitForSingleObject(Taker, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Taker);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    HANDLE Thread;
    KIRQL OldIrql;

    DriverObject->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeSetSystemAffinityThread(1);
    PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, TakeHigh, NULL);
    ObReferenceObjectByHandle(Thread, THREAD_ALL_ACCESS, NULL, KernelMode, &Taker, NULL);
    ZwClose(Thread);
    KeAcquireSpinLock(&Lock, &OldIrql);
    while (!Ready)
        YieldProcessor();
    KeReleaseSpinLock(&Lock, OldIrql);
    KeIpiGenericCall(Nothing, 0);
    KeRevertToUserAffinityThread();
    return STATUS_SUCCESS;
}
