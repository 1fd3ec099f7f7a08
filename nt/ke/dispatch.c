/*
 * The dispatcher: which thread runs on which processor.
 *
 * Each processor has 32 ready queues; the highest non-empty one gives the next thread. A thread that becomes ready goes to
 * an idle processor of its affinity if there is one, else to the one it last ran on; if it outranks the thread running
 * there it becomes that processor's NextThread and the DISPATCH_LEVEL interrupt is asked for.
 *
 * Everything here runs at DISPATCH_LEVEL. (docs: Thread Priorities and scheduling, KeSetPriorityThread)
 */
#include "nt.h"

#define KI_QUANTUM 6

static PKTHREAD KiMakeIdleThread(PKI_PROCESSOR Processor, UINT64 Slot)
{
    PKTHREAD Thread = ExpAllocate(sizeof(struct _KTHREAD), 'eldI');

    RtlZeroMemory(Thread, sizeof(*Thread));
    Thread->Header.Type = ThreadObject;
    InitializeListHead(&Thread->Header.WaitListHead);
    InitializeListHead(&Thread->MutantListHead);
    KiInitializeApcStates(Thread, NULL);
    Thread->StackSlot = Slot;
    Thread->StackBase = (PVOID)MiStackBase(Slot);
    Thread->StackLimit = (PVOID)(MiStackBase(Slot) - DOOR_STACK_USABLE);
    Thread->State = KiRunning;
    Thread->Affinity = 1ull << Processor->Number;
    Thread->Processor = Processor->Number;
    Thread->SystemThread = TRUE;
    return Thread;
}

/* An idle thread and a stack for DPCs. The boot stack (slot 0) is processor 0's idle stack. */
VOID KiInitializeProcessorDispatcher(ULONG Number)
{
    PKI_PROCESSOR Processor = KiProcessorBlock(Number);
    UINT64 Slot = 0, DpcSlot;

    if ((Number && !MmCreateKernelStack(&Slot)) || !MmCreateKernelStack(&DpcSlot))
        KiInternalError("no memory for the stacks of processor %u", Number);
    Processor->IdleThread = KiMakeIdleThread(Processor, Slot);
    Processor->CurrentThread = Processor->IdleThread;
    Processor->DpcStackBase = (PVOID)MiStackBase(DpcSlot);
    Processor->Idle = TRUE;
    if (Number)
        KiBuildStack((PVOID)MiStackBase(Slot), KiIdleLoop, NULL, &Processor->SuspendedStack);
}

VOID KiInitializeDispatcher(VOID)
{
    for (ULONG i = 0; i < KiDoor->processors; i++)
        KiInitializeProcessorDispatcher(i);
}

static VOID KiEnqueueReady(PKI_PROCESSOR Processor, PKTHREAD Thread, BOOLEAN Front)
{
    Thread->State = KiReady;
    Thread->Processor = Processor->Number;
    if (Front)
        InsertHeadList(&Processor->Ready[Thread->Priority], &Thread->ReadyListEntry);
    else
        InsertTailList(&Processor->Ready[Thread->Priority], &Thread->ReadyListEntry);
    Processor->ReadySummary |= 1u << Thread->Priority;
}

static VOID KiDequeueReady(PKTHREAD Thread)
{
    PKI_PROCESSOR Processor = KiProcessorBlock(Thread->Processor);

    if (RemoveEntryList(&Thread->ReadyListEntry))
        Processor->ReadySummary &= ~(1u << Thread->Priority);
}

/* It runs its idle thread, or will at once, and nothing waits for it. (Processor->Idle says less: its loop has come round.) */
static BOOLEAN KiIsFree(PKI_PROCESSOR Processor)
{
    return Processor->CurrentThread == Processor->IdleThread && !Processor->NextThread && !Processor->ReadySummary;
}

static PKI_PROCESSOR KiChooseProcessor(PKTHREAD Thread)
{
    PKI_PROCESSOR Last = KiProcessorBlock(Thread->Processor);
    ULONG Ideal = Thread->IdealProcessor;

    if (Ideal != KI_NO_IDEAL && (Thread->Affinity >> Ideal & 1) && KiIsFree(KiProcessorBlock(Ideal)))
        return KiProcessorBlock(Ideal);
    if ((Thread->Affinity >> Last->Number & 1) && KiIsFree(Last))
        return Last;
    for (ULONG i = 0; i < KiDoor->processors; i++) {
        PKI_PROCESSOR Processor = KiProcessorBlock(i);
        if ((Thread->Affinity >> i & 1) && KiIsFree(Processor))
            return Processor;
    }
    if (Thread->Affinity >> Last->Number & 1)
        return Last;
    return KiProcessorBlock(__builtin_ctzll(Thread->Affinity));
}

VOID KiReadyThread(PKTHREAD Thread)
{
    PKI_PROCESSOR Processor = KiChooseProcessor(Thread);
    PKTHREAD Rival = Processor->NextThread ? Processor->NextThread : Processor->CurrentThread;

    if (Rival == Processor->IdleThread || Rival == Thread || Rival->Priority >= Thread->Priority ||
        (Rival == Processor->CurrentThread && Rival->State != KiRunning)) {
        KiEnqueueReady(Processor, Thread, FALSE);
        return;
    }
    if (Processor->NextThread)
        KiEnqueueReady(Processor, Processor->NextThread, TRUE);
    Thread->State = KiStandby;
    Thread->Processor = Processor->Number;
    Processor->NextThread = Thread;
    KiRequestInterrupt(Processor, DISPATCH_LEVEL);
}

static PKTHREAD KiFirstReady(PKI_PROCESSOR Processor)
{
    return CONTAINING_RECORD(Processor->Ready[31 - __builtin_clz(Processor->ReadySummary)].Flink, struct _KTHREAD,
                             ReadyListEntry);
}

/* A thread that is ready on a busy processor and may run on this one, which has nothing to do; NULL = there is none. */
PKTHREAD KiFindElsewhere(PKI_PROCESSOR Processor)
{
    for (ULONG i = 1; i < KiDoor->processors; i++) {
        PKI_PROCESSOR Other = KiProcessorBlock((Processor->Number + i) % KiDoor->processors);
        if ((!Other->Idle || Other->DpcRoutineActive) && Other->ReadySummary &&
            (KiFirstReady(Other)->Affinity >> Processor->Number & 1))
            return KiFirstReady(Other);
    }
    return NULL;
}

static PKTHREAD KiSelectNext(PKI_PROCESSOR Processor)
{
    PKTHREAD Next = Processor->NextThread;

    if (Next) {
        Processor->NextThread = NULL;
        return Next;
    }
    Next = Processor->ReadySummary ? KiFirstReady(Processor) : KiFindElsewhere(Processor);
    if (!Next)
        return Processor->IdleThread;
    KiDequeueReady(Next);
    return Next;
}

/* Runs on the stack of the thread just switched to. An APC may have been queued to it while it was ready. */
static VOID KiAfterSwap(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    PKTHREAD Dead = Processor->DeadThread;

    if (Processor->CurrentThread->ApcState.KernelApcPending)
        KiRequestInterrupt(Processor, APC_LEVEL);
    if (Dead) {
        Processor->DeadThread = NULL;
        Processor->ReapRoutine(Dead);
    }
}

/* What KiSwapContext pushed: xmm6-15 and padding, r15 r14 r13 r12 rsi rdi rbx rbp, return address. */
VOID KiWaitingContext(PKTHREAD Thread, PCONTEXT Context)
{
    UINT64 *Frame = (UINT64 *)(Thread->KernelStack + 0xa8);

    Context->R15 = Frame[0];
    Context->R14 = Frame[1];
    Context->R13 = Frame[2];
    Context->R12 = Frame[3];
    Context->Rsi = Frame[4];
    Context->Rdi = Frame[5];
    Context->Rbx = Frame[6];
    Context->Rbp = Frame[7];
    Context->Rip = Frame[8];
    Context->Rsp = (UINT64)&Frame[9];
}

/* The current thread has been put where it belongs (a wait, a ready queue, nowhere); run the next one. */
LONG KiSwapThread(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    PKTHREAD Old = Processor->CurrentThread;
    PKTHREAD New = KiSelectNext(Processor);

    New->State = KiRunning;
    New->Processor = Processor->Number;
    if (New != Processor->IdleThread)
        Processor->Idle = FALSE;
    if (New != Old) {
        MiEnterProcess(New->ApcState.Process);
        Processor->Points++;
        KiSwapContext(Old, New);
        KiAfterSwap();
    }
    return Old->WaitStatus;
}

/* If a better thread has become due on this processor, it runs now; the present one keeps its turn. DISPATCH_LEVEL. */
VOID KiPreempt(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    PKTHREAD Thread = Processor->CurrentThread;

    if (!Processor->NextThread || Thread == Processor->IdleThread || Processor->DpcRoutineActive)
        return;
    KiEnqueueReady(Processor, Thread, TRUE);
    KiSwapThread();
}

VOID KiExitDispatcher(KIRQL OldIrql)
{
    if (OldIrql < DISPATCH_LEVEL)
        KiPreempt();
    KiLowerIrql(OldIrql);
}

/* The running thread has used up its time: the next of its priority has its turn; a boost wears off. */
VOID KiQuantumEnd(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    PKTHREAD Thread = Processor->CurrentThread;

    if (Thread == Processor->IdleThread)
        return;
    Thread->Quantum = KI_QUANTUM;
    if (Thread->Priority > Thread->BasePriority && Thread->Priority < LOW_REALTIME_PRIORITY)
        Thread->Priority--;
    if (!Processor->NextThread && (Processor->ReadySummary >> Thread->Priority)) {
        KiEnqueueReady(Processor, Thread, FALSE);
        KiSwapThread();
    }
}

/*
 * The best of the threads that are ready here runs, even one of lower priority, until its time is used up or this one is
 * chosen again. FALSE = there is none. (Win32's page of SwitchToThread says so; the service itself has no page.)
 */
BOOLEAN KiYield(VOID)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    PKI_PROCESSOR Processor = KiProcessor();
    BOOLEAN Yields = Processor->NextThread || Processor->ReadySummary;

    if (Yields) {
        Processor->NextThread = KiSelectNext(Processor);
        Processor->NextThread->State = KiStandby;
        KiEnqueueReady(Processor, Processor->CurrentThread, FALSE);
        KiSwapThread();
    }
    KiLowerIrql(OldIrql);
    return Yields;
}

VOID KiSetThreadPriority(PKTHREAD Thread, KPRIORITY Priority)
{
    if (Priority == Thread->Priority)
        return;
    if (Thread->State == KiReady) {
        KiDequeueReady(Thread);
        Thread->Priority = (SCHAR)Priority;
        KiReadyThread(Thread);
        return;
    }
    Thread->Priority = (SCHAR)Priority;
    if (Thread->State == KiRunning) {
        PKI_PROCESSOR Processor = KiProcessorBlock(Thread->Processor);
        if (!Processor->NextThread && (Processor->ReadySummary >> (Priority + 1))) {
            Processor->NextThread = KiSelectNext(Processor);
            Processor->NextThread->State = KiStandby;
            KiRequestInterrupt(Processor, DISPATCH_LEVEL);
        }
    }
}

/* ---- Life of a thread ------------------------------------------------------------------------------------------- */

/* A new thread's first step, at DISPATCH_LEVEL on its own stack. */
static VOID KiThreadStartup(PVOID Context)
{
    PKTHREAD Thread = Context;

    KiAfterSwap();
    KiLowerIrql(PASSIVE_LEVEL);
    Thread->SystemRoutine(Thread->SystemContext);
    KiInternalError("a system routine returned");
}

VOID KiInitializeThread(PKTHREAD Thread, PKPROCESS Process, UINT64 StackSlot, PVOID StackBase,
                        PKSTART_ROUTINE SystemRoutine, PVOID SystemContext)
{
    RtlZeroMemory(Thread, sizeof(*Thread));
    Thread->Header.Type = ThreadObject;
    InitializeListHead(&Thread->Header.WaitListHead);
    InitializeListHead(&Thread->MutantListHead);
    KiInitializeApcStates(Thread, Process);
    Thread->ApcQueueable = TRUE;
    KeInitializeTimerEx(&Thread->Timer, NotificationTimer);
    Thread->StackSlot = StackSlot;
    Thread->StackBase = StackBase;
    Thread->StackLimit = (PVOID)(MiStackBase(StackSlot) - DOOR_STACK_USABLE);
    Thread->State = KiInitialized;
    Thread->Process = Process;
    Thread->Priority = Thread->BasePriority = Process ? Process->BasePriority : 8;
    Thread->Quantum = KI_QUANTUM;
    Thread->Affinity = KiDoor->processors == 64 ? ~0ull : (1ull << KiDoor->processors) - 1;
    Thread->Processor = KiProcessor()->Number;
    Thread->IdealProcessor = KI_NO_IDEAL;
    Thread->SystemRoutine = SystemRoutine;
    Thread->SystemContext = SystemContext;
    KiBuildStack(StackBase, KiThreadStartup, Thread, &Thread->KernelStack);
    if (Process) {
        InsertTailList(&Process->ThreadListHead, &Thread->ThreadListEntry);
        Process->ThreadCount++;
    }
}

VOID KiCheckMutexes(PKTHREAD Thread)
{
    PKMUTANT Mutant = CONTAINING_RECORD(Thread->MutantListHead.Flink, KMUTANT, MutantListEntry);

    if (IsListEmpty(&Thread->MutantListHead))
        return;
    VfFinding("lock.thread-ends-holding", 0x4000008A, (UINT64)Thread, (UINT64)Mutant, 0, 0);
    VfSubject("mutex");
    VfText("a thread ends while it owns a mutex");
    VfNoteCallback(Thread->Callback);
    VfNote(DOOR_NOTE_OBJECT, 0, Mutant, NULL, "The mutex is %%o.");
    VfCommit();
}

DECLSPEC_NORETURN VOID KiTerminateThread(LONG ExitStatus, VOID (*Reap)(PKTHREAD Thread))
{
    PKI_PROCESSOR Processor;
    PKTHREAD Thread = KeGetCurrentThread();

    KiRaiseIrql(DISPATCH_LEVEL);
    while (!IsListEmpty(&Thread->MutantListHead)) {
        PKMUTANT Mutant = CONTAINING_RECORD(RemoveHeadList(&Thread->MutantListHead), KMUTANT, MutantListEntry);
        Mutant->OwnerThread = NULL;
        Mutant->Abandoned = TRUE;
        Mutant->Header.SignalState = 1;
        KiWaitTest(Mutant, 0);
    }
    KiLeaveQueue(Thread);
    Thread->State = KiTerminated;
    Thread->Header.SignalState = TRUE;
    if (Thread->Process) {
        RemoveEntryList(&Thread->ThreadListEntry);
        Thread->Process->ThreadCount--;
    }
    if (!IsListEmpty(&Thread->Header.WaitListHead))
        KiWaitTest(Thread, 0);
    Processor = KiProcessor();
    Processor->DeadThread = Thread;
    Processor->ReapRoutine = Reap;
    KiSwapThread();
    KiInternalError("an ended thread runs");
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

KPRIORITY KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    KPRIORITY Old = Thread->Priority;

    Thread->BasePriority = (SCHAR)Priority;
    KiSetThreadPriority(Thread, Priority);
    KiExitDispatcher(OldIrql);
    return Old;
}

KPRIORITY KeQueryPriorityThread(PKTHREAD Thread)
{
    return Thread->Priority;
}

LONG KeSetBasePriorityThread(PKTHREAD Thread, LONG Increment)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    LONG Base = Thread->Process ? Thread->Process->BasePriority : 8;
    LONG Old = Thread->BasePriority - Base;
    LONG New = Base + Increment;

    New = New < 1 ? 1 : New > 31 ? 31 : Base < 16 && New > 15 ? 15 : New;
    Thread->BasePriority = (SCHAR)New;
    KiSetThreadPriority(Thread, New);
    KiExitDispatcher(OldIrql);
    return Old;
}

/* A thread must leave a processor it may no longer use: it goes through the ready queues of one it may. */
static VOID KiApplyAffinity(PKTHREAD Thread)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);

    Thread->Affinity = Thread->SystemAffinity ? Thread->SystemAffinity
                       : Thread->UserAffinity ? Thread->UserAffinity
                                              : KeQueryActiveProcessors();
    if (!(Thread->Affinity >> Thread->Processor & 1)) {
        if (Thread == KeGetCurrentThread() && OldIrql < DISPATCH_LEVEL) {
            Thread->State = KiReady;
            KiReadyThread(Thread);
            KiSwapThread();
        } else if (Thread->State == KiReady) {
            KiDequeueReady(Thread);
            KiReadyThread(Thread);
        }
    }
    KiExitDispatcher(OldIrql);
}

static VOID KiSetSystemAffinity(PKTHREAD Thread, BOOLEAN Active, KAFFINITY Affinity)
{
    Thread->SystemAffinityActive = Active;
    Thread->SystemAffinity = Affinity & KeQueryActiveProcessors();
    KiApplyAffinity(Thread);
}

/* docs: KeSetSystemAffinityThreadEx: returns what an earlier call has set, 0 if none has. */
KAFFINITY KeSetSystemAffinityThreadEx(KAFFINITY Affinity)
{
    PKTHREAD Thread = KeGetCurrentThread();
    KAFFINITY Old = Thread->SystemAffinity;

    KiSetSystemAffinity(Thread, TRUE, Affinity);
    return Old;
}

VOID KeSetSystemAffinityThread(KAFFINITY Affinity)
{
    KeSetSystemAffinityThreadEx(Affinity);
}

VOID KeRevertToUserAffinityThreadEx(KAFFINITY Affinity)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Thread->SystemAffinityActive)
        KiSetSystemAffinity(Thread, Affinity != 0, Affinity);
}

VOID KeRevertToUserAffinityThread(VOID)
{
    KeRevertToUserAffinityThreadEx(0);
}

KAFFINITY KeQueryActiveProcessors(VOID)
{
    return KiDoor->processors == 64 ? ~0ull : (1ull << KiDoor->processors) - 1;
}

/* Undocumented; exported since NT 3.1. */
KAFFINITY KeSetAffinityThread(PKTHREAD Thread, KAFFINITY Affinity)
{
    KAFFINITY Active = KeQueryActiveProcessors(), Old = Thread->UserAffinity ? Thread->UserAffinity : Active;

    if (Affinity & Active) {
        Thread->UserAffinity = Affinity & Active;
        KiApplyAffinity(Thread);
    }
    return Old;
}

/* Returns the one chosen before; where none was, the one it runs on. (docs: KeSetIdealProcessorThread) */
UCHAR KeSetIdealProcessorThread(PKTHREAD Thread, UCHAR Processor)
{
    ULONG Old = Thread->IdealProcessor == KI_NO_IDEAL ? Thread->Processor : Thread->IdealProcessor;

    if (Processor < KiDoor->processors)
        Thread->IdealProcessor = Processor;
    return (UCHAR)Old;
}

ULONG KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors)
{
    if (ActiveProcessors)
        *ActiveProcessors = KeQueryActiveProcessors();
    return KiDoor->processors;
}

ULONG KeQueryActiveProcessorCountEx(USHORT GroupNumber)
{
    return GroupNumber == 0 || GroupNumber == ALL_PROCESSOR_GROUPS ? KiDoor->processors : 0;
}

/* Processors can be added while the machine runs, up to this. (docs: KeQueryMaximumProcessorCountEx) */
ULONG KeQueryMaximumProcessorCount(VOID)
{
    return DOOR_PROCESSORS;
}

ULONG KeQueryMaximumProcessorCountEx(USHORT GroupNumber)
{
    return GroupNumber == 0 || GroupNumber == ALL_PROCESSOR_GROUPS ? DOOR_PROCESSORS : 0;
}

USHORT KeQueryActiveGroupCount(VOID)
{
    return 1;
}

ULONG KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber)
{
    ULONG Number = KiProcessor()->Number;

    if (ProcNumber) {
        ProcNumber->Group = 0;
        ProcNumber->Number = (UCHAR)Number;
        ProcNumber->Reserved = 0;
    }
    return Number;
}

PKTHREAD KiExportKeGetCurrentThread(VOID)
{
    return KeGetCurrentThread();
}
