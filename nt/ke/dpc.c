/*
 * Deferred procedure calls: one queue a processor, drained at DISPATCH_LEVEL before the level falls below it, on a stack of
 * their own (as on Windows), so that a DPC's stack walk ends at the DPC.
 *
 * A KDPC has four unused bytes behind its head; they keep the number of the stack that queued it.
 * (docs: KeInsertQueueDpc, Introduction to DPC Objects)
 */
#include "nt.h"

#define KI_DPC_STACK(Dpc) (((ULONG *)(Dpc))[1])
C_ASSERT(FIELD_OFFSET(KDPC, DpcListEntry) == 8);

/* KDPC.DpcData while queued: the timer it belongs to, or this. */
#define KI_DPC_QUEUED ((PVOID)1)

static VOID KiQueueDpc(PKDPC Dpc, PVOID Source, ULONG Stack, PVOID Argument1, PVOID Argument2)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (Dpc->Number >= MAXIMUM_PROC_PER_GROUP)
        Processor = KiProcessorBlock(Dpc->Number - MAXIMUM_PROC_PER_GROUP);
    Dpc->SystemArgument1 = Argument1;
    Dpc->SystemArgument2 = Argument2;
    Dpc->DpcData = Source;
    KI_DPC_STACK(Dpc) = Stack;
    if (Dpc->Importance == HighImportance)
        InsertHeadList(&Processor->DpcList, &Dpc->DpcListEntry);
    else
        InsertTailList(&Processor->DpcList, &Dpc->DpcListEntry);
    Processor->DpcCount++;
    VF_DPCS_IN_PAGE(Dpc)++;
    if (MiIsStack((UINT64)Dpc))
        VfDpcsOnStacks++;
    KiRequestInterrupt(Processor, DISPATCH_LEVEL);
}

/* A timer expired. Its arguments are the system time, in two halves. */
VOID KiQueueTimerDpc(PKDPC Dpc, PKTIMER Timer, ULONG Stack)
{
    UINT64 Now = KiDoor->now + KiDoor->boot_time;

    if (!Dpc->DpcData)
        KiQueueDpc(Dpc, Timer, Stack, (PVOID)(UINT64)(ULONG)Now, (PVOID)(Now >> 32));
}

static VOID KiRunDpc(PKDPC Dpc)
{
    PKDEFERRED_ROUTINE Routine = Dpc->DeferredRoutine;
    PVOID Context = Dpc->DeferredContext, Argument1 = Dpc->SystemArgument1, Argument2 = Dpc->SystemArgument2;
    BOOLEAN OfTimer = Dpc->DpcData != KI_DPC_QUEUED;
    VF_CALLBACK Callback;

    Callback.Contract = "KDEFERRED_ROUTINE";
    Callback.What = OfTimer ? "DPC of timer %o" : "DPC %o";
    Callback.StackText = OfTimer ? "The timer was set at:" : "The DPC was queued at:";
    Callback.Routine = (PVOID)Routine;
    Callback.Object = OfTimer ? Dpc->DpcData : Dpc;
    Callback.Stack = KI_DPC_STACK(Dpc);
    Dpc->DpcData = NULL; /* from here on it can be queued again, or freed by its own routine */
    VfEnterCallback(&Callback);
    Routine(Dpc, Context, Argument1, Argument2);
    VfLeaveCallback(&Callback);
}

static VOID KiUnqueueDpc(PKI_PROCESSOR Processor, PKDPC Dpc)
{
    RemoveEntryList(&Dpc->DpcListEntry);
    Processor->DpcCount--;
    VF_DPCS_IN_PAGE(Dpc)--;
    if (MiIsStack((UINT64)Dpc))
        VfDpcsOnStacks--;
}

static VOID KiDrainDpcs(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    PKDPC Dpc;

    for (;;) {
        if (KiTimersPending())
            KiExpireTimers();
        if (IsListEmpty(&Processor->DpcList))
            break;
        Dpc = CONTAINING_RECORD(Processor->DpcList.Flink, KDPC, DpcListEntry);
        KiUnqueueDpc(Processor, Dpc);
        KiRunDpc(Dpc);
    }
}

/* DISPATCH_LEVEL: expire timers, run DPCs until none is left. */
VOID KiRetireDpcs(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (Processor->DpcRoutineActive || (IsListEmpty(&Processor->DpcList) && !KiTimersPending()))
        return;
    Processor->DpcRoutineActive = TRUE;
    KiCallOnStack(KiDrainDpcs, Processor->DpcStackBase);
    Processor->DpcRoutineActive = FALSE;
}

/* For the verifier: a queued DPC whose object, or whose routine, lies in the range; NULL = none. */
PKDPC KiFindQueuedDpc(UINT64 Start, UINT64 Bytes, BOOLEAN ByRoutine, ULONG *Stack)
{
    for (ULONG i = 0; i < KiDoor->processors; i++) {
        PLIST_ENTRY Head = &KiProcessorBlock(i)->DpcList;
        for (PLIST_ENTRY Entry = Head->Flink; Entry != Head; Entry = Entry->Flink) {
            PKDPC Dpc = CONTAINING_RECORD(Entry, KDPC, DpcListEntry);
            UINT64 Address = ByRoutine ? (UINT64)Dpc->DeferredRoutine : (UINT64)Dpc;
            if (Address - Start < Bytes) {
                *Stack = KI_DPC_STACK(Dpc);
                return Dpc;
            }
        }
    }
    return NULL;
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    RtlZeroMemory(Dpc, sizeof(*Dpc));
    Dpc->Type = DpcObject;
    Dpc->Importance = MediumImportance;
    Dpc->DeferredRoutine = DeferredRoutine;
    Dpc->DeferredContext = DeferredContext;
}

BOOLEAN KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    KIRQL OldIrql;

    if (Dpc->DpcData)
        return FALSE;
    OldIrql = KiRaiseIrql(HIGH_LEVEL);
    KiQueueDpc(Dpc, KI_DPC_QUEUED, VfCaptureStack(), SystemArgument1, SystemArgument2);
    KiLowerIrql(OldIrql);
    return TRUE;
}

BOOLEAN KeRemoveQueueDpc(PRKDPC Dpc)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (!Dpc->DpcData)
        return FALSE;
    if (Dpc->Number >= MAXIMUM_PROC_PER_GROUP)
        Processor = KiProcessorBlock(Dpc->Number - MAXIMUM_PROC_PER_GROUP);
    KiUnqueueDpc(Processor, Dpc);
    Dpc->DpcData = NULL;
    return TRUE;
}

VOID KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance)
{
    Dpc->Importance = (UCHAR)Importance;
}

VOID KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number)
{
    Dpc->Number = (USHORT)(MAXIMUM_PROC_PER_GROUP + Number);
}

/* All DPCs queued on any processor when this is called have run when it returns: their processors are given the word
 * until their queues are empty. */
VOID KeFlushQueuedDpcs(VOID)
{
    for (ULONG i = 0; i < KiDoor->processors; i++)
        while (!IsListEmpty(&KiProcessorBlock(i)->DpcList) || KiProcessorBlock(i)->DpcRoutineActive)
            KiSpin(NULL);
}
