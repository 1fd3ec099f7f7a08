/*
 * Asynchronous procedure calls, and the regions in which they are held off.
 *
 * A critical region holds off normal kernel APCs, a guarded region all of them. A kernel APC runs when its thread is at
 * PASSIVE_LEVEL: as the APC_LEVEL interrupt if the thread runs, or by ending its wait with STATUS_KERNEL_APC, after which
 * the wait starts over. (docs: Types of APCs, KeEnterCriticalRegion, KeEnterGuardedRegion)
 */
#include "nt.h"

static VOID KiResetApcState(PKAPC_STATE State, PKPROCESS Process)
{
    RtlZeroMemory(State, sizeof(*State));
    InitializeListHead(&State->ApcListHead[KernelMode]);
    InitializeListHead(&State->ApcListHead[UserMode]);
    State->Process = Process;
}

VOID KiInitializeApcStates(PKTHREAD Thread, PKPROCESS Process)
{
    KiResetApcState(&Thread->ApcState, Process);
    KiResetApcState(&Thread->SavedApcState, NULL);
    Thread->ApcStatePointer[0] = &Thread->ApcState;
    Thread->ApcStatePointer[1] = &Thread->SavedApcState;
}

VOID KeInitializeApc(PKAPC Apc, PKTHREAD Thread, KAPC_ENVIRONMENT Environment, PKKERNEL_ROUTINE KernelRoutine,
                     PKRUNDOWN_ROUTINE RundownRoutine, PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE Mode,
                     PVOID Context)
{
    RtlZeroMemory(Apc, sizeof(*Apc));
    Apc->Type = ApcObject;
    Apc->Size = sizeof(*Apc);
    Apc->ApcStateIndex = (CCHAR)(Environment == CurrentApcEnvironment ? Thread->ApcStateIndex : Environment);
    Apc->Thread = Thread;
    Apc->KernelRoutine = KernelRoutine;
    Apc->RundownRoutine = RundownRoutine;
    Apc->NormalRoutine = NormalRoutine;
    Apc->ApcMode = NormalRoutine ? Mode : KernelMode;
    Apc->NormalContext = NormalRoutine ? Context : NULL;
}

BOOLEAN KiApcCanRun(PKTHREAD Thread)
{
    PKAPC First;

    if (IsListEmpty(&Thread->ApcState.ApcListHead[KernelMode]) || Thread->SpecialApcDisable)
        return FALSE;
    First = CONTAINING_RECORD(Thread->ApcState.ApcListHead[KernelMode].Flink, KAPC, ApcListEntry);
    return !First->NormalRoutine || (!Thread->KernelApcDisable && !Thread->ApcState.KernelApcInProgress);
}

/* Special APCs go before normal ones; equal ones in the order of arrival. */
static VOID KiEnqueueApc(PKAPC_STATE State, PKAPC Apc)
{
    PLIST_ENTRY Head = &State->ApcListHead[(UCHAR)Apc->ApcMode];
    PLIST_ENTRY Entry = Head->Blink;

    if (!Apc->NormalRoutine)
        while (Entry != Head && CONTAINING_RECORD(Entry, KAPC, ApcListEntry)->NormalRoutine)
            Entry = Entry->Blink;
    InsertHeadList(Entry, &Apc->ApcListEntry);
}

static VOID KiNotifyApc(PKTHREAD Thread, PKAPC Apc, KPRIORITY Increment)
{
    if (Apc->ApcMode == UserMode) {
        if (Thread->State == KiWaiting && Thread->Alertable && Thread->WaitMode == UserMode) {
            Thread->ApcState.UserApcPending = TRUE;
            KiUnwaitThread(Thread, STATUS_USER_APC, Increment);
        }
        return;
    }
    Thread->ApcState.KernelApcPending = TRUE;
    if (Thread->State == KiRunning)
        KiRequestInterrupt(KiProcessorBlock(Thread->Processor), APC_LEVEL);
    else if (Thread->State == KiWaiting && Thread->WaitIrql == PASSIVE_LEVEL && KiApcCanRun(Thread))
        KiUnwaitThread(Thread, STATUS_KERNEL_APC, Increment);
}

BOOLEAN KeInsertQueueApc(PKAPC Apc, PVOID SystemArgument1, PVOID SystemArgument2, KPRIORITY Increment)
{
    PKTHREAD Thread = (PKTHREAD)Apc->Thread;
    KIRQL OldIrql;

    if (!Thread->ApcQueueable || Apc->Inserted || Thread->State == KiTerminated)
        return FALSE;
    OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    Apc->SystemArgument1 = SystemArgument1;
    Apc->SystemArgument2 = SystemArgument2;
    Apc->Inserted = TRUE;
    PKAPC_STATE State = Thread->ApcStatePointer[Apc->ApcStateIndex & 1];
    KiEnqueueApc(State, Apc);
    if (State == &Thread->ApcState)
        KiNotifyApc(Thread, Apc, Increment);
    else if (Apc->ApcMode == KernelMode) /* it is somewhere else: when it comes back */
        State->KernelApcPending = TRUE;
    KiExitDispatcher(OldIrql);
    return TRUE;
}

BOOLEAN KeRemoveQueueApc(PKAPC Apc)
{
    if (!Apc->Inserted)
        return FALSE;
    Apc->Inserted = FALSE;
    RemoveEntryList(&Apc->ApcListEntry);
    return TRUE;
}

/* The thread is to end: what it waits for as a program does not come. */
VOID KiEndUserWaits(PKTHREAD Thread)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);

    if (Thread->State == KiWaiting && Thread->WaitMode == UserMode)
        KiUnwaitThread(Thread, STATUS_USER_APC, 0);
    KiExitDispatcher(OldIrql);
}

/* At APC_LEVEL. The object may be gone when it returns. */
VOID KiCallApcKernelRoutine(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    VF_CALLBACK Callback = {
        .Contract = "KKERNEL_ROUTINE", .What = "kernel APC %o", .Object = Apc, .Routine = (PVOID)Apc->KernelRoutine};

    VfEnterCallback(&Callback);
    Apc->KernelRoutine(Apc, Normal, Context, Argument1, Argument2);
    VfLeaveCallback(&Callback);
}

static VOID KiRunKernelApc(PKTHREAD Thread, PKAPC Apc)
{
    PKNORMAL_ROUTINE Normal = Apc->NormalRoutine;
    PVOID Context = Apc->NormalContext, Argument1 = Apc->SystemArgument1, Argument2 = Apc->SystemArgument2;
    VF_CALLBACK Callback;

    RemoveEntryList(&Apc->ApcListEntry);
    Apc->Inserted = FALSE;
    KiCallApcKernelRoutine(Apc, &Normal, &Context, &Argument1, &Argument2);
    if (Normal) {
        Callback = (VF_CALLBACK){.Contract = "KNORMAL_ROUTINE", .What = "kernel APC", .Routine = (PVOID)Normal};
        Thread->ApcState.KernelApcInProgress = TRUE;
        KiLowerIrql(PASSIVE_LEVEL);
        VfEnterCallback(&Callback);
        Normal(Context, Argument1, Argument2);
        VfLeaveCallback(&Callback);
        KiRaiseIrql(APC_LEVEL);
        Thread->ApcState.KernelApcInProgress = FALSE;
    }
}

/* The APC_LEVEL interrupt. */
VOID KiDeliverApcs(VOID)
{
    PKTHREAD Thread = KeGetCurrentThread();

    while (KiApcCanRun(Thread))
        KiRunKernelApc(Thread, CONTAINING_RECORD(Thread->ApcState.ApcListHead[KernelMode].Flink, KAPC, ApcListEntry));
    Thread->ApcState.KernelApcPending = !IsListEmpty(&Thread->ApcState.ApcListHead[KernelMode]);
}

/* A region has ended: what was held off may be due. */
static VOID KiRegionEnded(PKTHREAD Thread)
{
    if (Thread->ApcState.KernelApcPending && KiApcCanRun(Thread)) {
        KiRequestInterrupt(KiProcessor(), APC_LEVEL);
        KiDispatchPending();
    }
}

VOID KeEnterCriticalRegion(VOID)
{
    KeGetCurrentThread()->KernelApcDisable--;
}

static VOID KiReportUnbalanced(PCSTR Routine)
{
    VfFinding("apc.region-unbalanced", 0x01, 0, 0, 0, 0);
    VfSubject(Routine);
    VfText("%s without the matching enter", Routine);
    VfNoteCaller(NULL);
    VfCommit();
}

VOID KeLeaveCriticalRegion(VOID)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Thread->KernelApcDisable >= 0)
        KiReportUnbalanced("KeLeaveCriticalRegion");
    if (++Thread->KernelApcDisable == 0)
        KiRegionEnded(Thread);
}

VOID KeEnterGuardedRegion(VOID)
{
    KeGetCurrentThread()->SpecialApcDisable--;
}

VOID KeLeaveGuardedRegion(VOID)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Thread->SpecialApcDisable >= 0)
        KiReportUnbalanced("KeLeaveGuardedRegion");
    if (++Thread->SpecialApcDisable == 0)
        KiRegionEnded(Thread);
}

BOOLEAN KeAreApcsDisabled(VOID)
{
    return KeGetCurrentThread()->CombinedApcDisable != 0;
}

BOOLEAN KeAreAllApcsDisabled(VOID)
{
    return KeGetCurrentThread()->SpecialApcDisable != 0 || KiReadCr8() >= APC_LEVEL;
}
