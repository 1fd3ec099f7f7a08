/*
 * Prints everything that could differ between two runs and must not: addresses, times, time stamp counters,
 * identifiers, random numbers, the order in which threads, DPCs and work items go, and on which processor.
 */
#include <ntifs.h>

#define THREADS 8
static PVOID Thread[THREADS];
static KTIMER Timer[THREADS];
static KDPC Dpc[THREADS];
static WORK_QUEUE_ITEM Item[THREADS];
static KSEMAPHORE Done;
static KSPIN_LOCK Lock;
static volatile LONG Order;

static VOID Tell(PCSTR What, ULONG_PTR Which)
{
    KIRQL Old;

    KeAcquireSpinLock(&Lock, &Old);
    DbgPrint("%s %u: step %d, processor %u, thread %p, stack %p, counter %I64u, time %I64u\n", What, (ULONG)Which,
             InterlockedIncrement(&Order), KeGetCurrentProcessorNumber(), KeGetCurrentThread(), &Old, __rdtsc(),
             KeQueryInterruptTime());
    KeReleaseSpinLock(&Lock, Old);
}

static VOID Work(PVOID Which)
{
    Tell("work item", (ULONG_PTR)Which);
    KeReleaseSemaphore(&Done, IO_NO_INCREMENT, 1, FALSE);
}

static VOID TimerDpc(PKDPC Which, PVOID Number, PVOID Argument1, PVOID Argument2)
{
    Tell("DPC", (ULONG_PTR)Number);
    ExInitializeWorkItem(&Item[(ULONG_PTR)Number], Work, Number);
    ExQueueWorkItem(&Item[(ULONG_PTR)Number], (ULONG_PTR)Number % 2 ? DelayedWorkQueue : CriticalWorkQueue);
}

static VOID Routine(PVOID Which)
{
    ULONG_PTR Number = (ULONG_PTR)Which;
    LARGE_INTEGER Due = {.QuadPart = -10 * (LONGLONG)(1 + Number * 7919 % 13)};

    for (int Round = 0; Round < 5; Round++) {
        PVOID Block = ExAllocatePoolWithTag(Round % 2 ? PagedPool : NonPagedPoolNx, 40 + 100 * Number, 'smaS');

        Tell("thread", Number);
        DbgPrint("block %p\n", Block);
        KeDelayExecutionThread(KernelMode, FALSE, &Due);
        if (Block)
            ExFreePoolWithTag(Block, 'smaS');
        for (int i = 0; i < 300; i++)
            KeStallExecutionProcessor(1);
    }
    KeInitializeTimer(&Timer[Number]);
    KeInitializeDpc(&Dpc[Number], TimerDpc, Which);
    KeSetTimer(&Timer[Number], Due, &Dpc[Number]);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    for (int i = 0; i < THREADS; i++)
        KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    for (int i = 0; i < THREADS; i++) {
        KeWaitForSingleObject(Thread[i], Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(Thread[i]);
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Time, Frequency;
    ULONG Seed = 0;

    Driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    KeInitializeSemaphore(&Done, 0, 1000);
    KeQuerySystemTime(&Time);
    DbgPrint("driver %p, path %wZ, entry %p, time %I64d, counter %I64d\n", Driver, Path, DriverEntry, Time.QuadPart,
             KeQueryPerformanceCounter(&Frequency).QuadPart);
    DbgPrint("process %p, random %u\n", PsGetCurrentProcessId(), RtlRandomEx(&Seed));
    for (ULONG_PTR i = 0; i < THREADS; i++) {
        HANDLE Handle;
        CLIENT_ID Id;

        PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, &Id, Routine, (PVOID)i);
        ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &Thread[i], NULL);
        DbgPrint("thread %u: handle %p, id %p, object %p\n", (ULONG)i, Handle, Id.UniqueThread, Thread[i]);
        ZwClose(Handle);
    }
    return STATUS_SUCCESS;
}
