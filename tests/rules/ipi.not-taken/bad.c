/*
 * A call on all processors while holding a lock that another processor waits for above IPI_LEVEL: each waits for the other.
 * EXPECT: (ipi\.not-taken bad\.c:@ in DriverEntry|lock\.never-released bad\.c:[0-9]+ in TakeHigh)
 * OPTIONS: --cpus 2
 */
#include <ntddk.h>

static KSPIN_LOCK Lock;
static volatile LONG Ready;

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
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    HANDLE Thread;
    KIRQL OldIrql;

    DriverObject->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeSetSystemAffinityThread(1);
    PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, TakeHigh, NULL);
    ZwClose(Thread);
    KeAcquireSpinLock(&Lock, &OldIrql);
    while (!Ready)
        YieldProcessor();
    KeIpiGenericCall(Nothing, 0); /* @ */
    KeReleaseSpinLock(&Lock, OldIrql);
    return STATUS_SUCCESS;
}
