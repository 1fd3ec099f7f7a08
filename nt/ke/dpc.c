/*
 * Deferred procedure calls: one queue a processor, drained at DISPATCH_LEVEL before the level falls below it, on a stack of
 * their own (as on Windows), so that a DPC's stack walk ends at the DPC.
 *
 * Importance says where in the queue a DPC goes and whether the processor begins with its queue at once. One that begins
 * nothing waits for the next that does, the next tick, the processor's being idle, or KI_DPC_DEPTH others.
 *
 * While queued, a DPC's Number is that of its processor: its own target, or, below MAXIMUM_PROC_PER_GROUP, where it was
 * queued. A KDPC has four unused bytes behind its head; they keep the number of the stack that queued it.
 * (docs: KeInsertQueueDpc, KeSetImportanceDpc, Introduction to DPC Objects, Organization of DPC Queues)
 */
#include "nt.h"

C_ASSERT(FIELD_OFFSET(KDPC, DpcListEntry) == 8);

#define KI_DPC_DEPTH 4

static BOOLEAN KiBeginsAtOnce(PKI_PROCESSOR Processor, PKDPC Dpc)
{
    if (Processor->Idle || Processor->DpcCount > KI_DPC_DEPTH)
        return TRUE;
    if (Dpc->Importance == MediumImportance)
        return Processor == KiProcessor();
    return Dpc->Importance != LowImportance;
}

/* FALSE: it is queued already. Any level. */
BOOLEAN KiQueueDpc(PKDPC Dpc, PVOID Source, ULONG Stack, PVOID Argument1, PVOID Argument2)
{
    BOOLEAN Threaded = Dpc->Type == ThreadedDpcObject && KiThreadedDpcs;
    PKI_PROCESSOR Processor;
    PLIST_ENTRY Head;

    if (Dpc->DpcData)
        return FALSE;
    if (Dpc->Number < MAXIMUM_PROC_PER_GROUP)
        Dpc->Number = (USHORT)KiProcessor()->Number;
    Processor = KI_DPC_PROCESSOR(Dpc);
    Dpc->SystemArgument1 = Argument1;
    Dpc->SystemArgument2 = Argument2;
    Dpc->DpcData = Source;
    KI_DPC_STACK(Dpc) = Stack;
    Head = Threaded ? &Processor->ThreadedDpcList : &Processor->DpcList;
    if (Dpc->Importance == HighImportance)
        InsertHeadList(Head, &Dpc->DpcListEntry);
    else
        InsertTailList(Head, &Dpc->DpcListEntry);
    VfPageOf(Dpc)->Dpcs++;
    if (MiIsStack((UINT64)Dpc))
        VfDpcsOnStacks++;
    if (!Threaded)
        Processor->DpcCount++;
    if (Threaded || KiBeginsAtOnce(Processor, Dpc))
        KiRequestInterrupt(Processor, DISPATCH_LEVEL);
    return TRUE;
}

/* A timer expired. Its arguments are the system time, in two halves. */
VOID KiQueueTimerDpc(PKDPC Dpc, PKTIMER Timer, ULONG Stack)
{
    UINT64 Now = KiDoor->now + KiDoor->boot_time;

    KiQueueDpc(Dpc, Timer, Stack, (PVOID)(UINT64)(ULONG)Now, (PVOID)(Now >> 32));
}

/* Call the routine of a DPC that has left its queue. What: "DPC" or "threaded DPC". */
VOID KiCallDpc(PKDPC Dpc, PCSTR What)
{
    PKDEFERRED_ROUTINE Routine = Dpc->DeferredRoutine;
    PVOID Context = Dpc->DeferredContext, Argument1 = Dpc->SystemArgument1, Argument2 = Dpc->SystemArgument2;
    BOOLEAN OfTimer = Dpc->DpcData != KI_DPC_QUEUED;
    VF_CALLBACK Callback;

    Callback.Contract = "KDEFERRED_ROUTINE";
    Callback.What = OfTimer ? "DPC of timer %o" : What;
    Callback.StackText = OfTimer ? "The timer was set at:" : "The DPC was queued at:";
    Callback.Routine = (PVOID)Routine;
    Callback.Object = OfTimer ? Dpc->DpcData : Dpc;
    Callback.Stack = KI_DPC_STACK(Dpc);
    Dpc->DpcData = NULL; /* from here on it can be queued again, or freed by its own routine */
    VfEnterCallback(&Callback);
    Routine(Dpc, Context, Argument1, Argument2);
    VfLeaveCallback(&Callback);
}

VOID KiUnqueueDpc(PKI_PROCESSOR Processor, PKDPC Dpc)
{
    RemoveEntryList(&Dpc->DpcListEntry);
    if (Dpc->Type != ThreadedDpcObject || !KiThreadedDpcs)
        Processor->DpcCount--;
    VfPageOf(Dpc)->Dpcs--;
    if (MiIsStack((UINT64)Dpc))
        VfDpcsOnStacks--;
}

/* DPCs that queue each other without end cost time, so that the watchdog comes to see them: one microsecond each. */
#define KI_LONG_SERIES 64

static VOID KiDrainDpcs(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();

    for (ULONG Count = 1;; Count++) {
        if (Count % KI_LONG_SERIES == 0)
            KiPassTime(KI_LONG_SERIES * 10);
        if (KiTimersPending())
            KiExpireTimers();
        if (IsListEmpty(&Processor->DpcList))
            break;
        Processor->ActiveDpc = CONTAINING_RECORD(Processor->DpcList.Flink, KDPC, DpcListEntry);
        KiUnqueueDpc(Processor, Processor->ActiveDpc);
        Processor->DpcTime = 0;
        KiCallDpc(Processor->ActiveDpc, "DPC %o");
        Processor->ActiveDpc = NULL;
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

static PKDPC KiFindInQueue(PLIST_ENTRY Head, UINT64 Start, UINT64 Bytes, BOOLEAN ByRoutine)
{
    for (PLIST_ENTRY Entry = Head->Flink; Entry != Head; Entry = Entry->Flink) {
        PKDPC Dpc = CONTAINING_RECORD(Entry, KDPC, DpcListEntry);
        UINT64 Address = ByRoutine ? (UINT64)Dpc->DeferredRoutine : (UINT64)Dpc;
        if (Address - Start < Bytes)
            return Dpc;
    }
    return NULL;
}

/* For the verifier: a queued DPC whose object, or whose routine, lies in the range; NULL = none. */
PKDPC KiFindQueuedDpc(UINT64 Start, UINT64 Bytes, BOOLEAN ByRoutine, ULONG *Stack)
{
    for (ULONG i = 0; i < KiDoor->processors; i++) {
        PKDPC Dpc = KiFindInQueue(&KiProcessorBlock(i)->DpcList, Start, Bytes, ByRoutine);
        if (!Dpc)
            Dpc = KiFindInQueue(&KiProcessorBlock(i)->ThreadedDpcList, Start, Bytes, ByRoutine);
        if (Dpc) {
            *Stack = KI_DPC_STACK(Dpc);
            return Dpc;
        }
    }
    return NULL;
}

/* ---- What drivers import: a DPC -------------------------------------------------------------------------------------- */

VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    Dpc->Type = DpcObject;
    Dpc->Importance = MediumImportance;
    Dpc->Number = 0;
    Dpc->DpcData = NULL;
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
    if (!Dpc->DpcData)
        return FALSE;
    KiUnqueueDpc(KI_DPC_PROCESSOR(Dpc), Dpc);
    Dpc->DpcData = NULL;
    return TRUE;
}

static BOOLEAN KiIsRunning(PKDPC Dpc)
{
    for (ULONG i = 0; i < KiDoor->processors; i++)
        if (KiProcessorBlock(i)->ActiveDpc == Dpc || KiProcessorBlock(i)->ActiveThreadedDpc == Dpc)
            return TRUE;
    return FALSE;
}

/* Undocumented: with WaitIfActive, returns only when a call that is under way has returned. */
BOOLEAN KeRemoveQueueDpcEx(PRKDPC Dpc, BOOLEAN WaitIfActive)
{
    BOOLEAN Removed = KeRemoveQueueDpc(Dpc);

    if (WaitIfActive && KiIsRunning(Dpc))
        KeFlushQueuedDpcs();
    return Removed;
}

VOID KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance)
{
    Dpc->Importance = (UCHAR)Importance;
}

/* On Windows a DPC for a processor that does not exist is a bug check when it is queued; here it is found where it begins. */
static BOOLEAN KiCheckTarget(PKDPC Dpc, ULONG Number, PCSTR Routine)
{
    if (Number < KiDoor->processors)
        return TRUE;
    VfFinding("dpc.no-such-processor", 0xC7, 1, (UINT64)Dpc, Number, 0);
    VfSubject(Routine);
    VfText("a DPC is to run on processor %u, but the processors are 0 to %u", Number, KiDoor->processors - 1);
    VfNoteCaller(NULL);
    VfCommit();
    return FALSE;
}

VOID KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number)
{
    if (KiCheckTarget(Dpc, (UCHAR)Number, "KeSetTargetProcessorDpc"))
        Dpc->Number = (USHORT)(MAXIMUM_PROC_PER_GROUP + Number);
}

NTSTATUS KeSetTargetProcessorDpcEx(PKDPC Dpc, PPROCESSOR_NUMBER ProcNumber)
{
    ULONG Number = KeGetProcessorIndexFromNumber(ProcNumber);

    if (Number == INVALID_PROCESSOR_INDEX)
        return STATUS_INVALID_PARAMETER;
    Dpc->Number = (USHORT)(MAXIMUM_PROC_PER_GROUP + Number);
    return STATUS_SUCCESS;
}

LOGICAL KeIsExecutingDpc(VOID)
{
    return KiProcessor()->DpcRoutineActive;
}

/* ---- What drivers import: all of them -------------------------------------------------------------------------------- */

typedef struct _KI_FLUSH {
    KEVENT Event;
    ULONG Left;
    ULONG Count;
    KDPC Dpc[2 * DOOR_PROCESSORS]; /* the last of each queue */
} KI_FLUSH, *PKI_FLUSH;

static VOID KiFlushed(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PKI_FLUSH Flush = Context;

    if (!--Flush->Left)
        KeSetEvent(&Flush->Event, 0, FALSE);
}

static VOID KiQueueFlush(PKI_FLUSH Flush, ULONG Number, BOOLEAN Threaded)
{
    PKDPC Dpc = &Flush->Dpc[Flush->Count++];

    KeInitializeDpc(Dpc, KiFlushed, Flush);
    Dpc->Type = Threaded ? ThreadedDpcObject : DpcObject;
    Dpc->Importance = MediumHighImportance;
    Dpc->Number = (USHORT)(MAXIMUM_PROC_PER_GROUP + Number);
    Flush->Left++;
    KiQueueDpc(Dpc, KI_DPC_QUEUED, 0, NULL, NULL);
}

/*
 * What was queued on any processor when this is called has run to its end when it returns; what is queued meanwhile need not
 * have. Each queue that holds or runs something gets a DPC of ours at its end, and we wait for all of those.
 */
VOID KeFlushQueuedDpcs(VOID)
{
    PKI_FLUSH Flush = NULL;
    KIRQL OldIrql = KiRaiseIrql(HIGH_LEVEL);

    if (OldIrql >= DISPATCH_LEVEL) { /* reported by its contract; on Windows it would wait for itself */
        KiLowerIrql(OldIrql);
        return;
    }
    for (ULONG i = 0; i < KiDoor->processors; i++) {
        PKI_PROCESSOR Processor = KiProcessorBlock(i);
        BOOLEAN Ordinary = Processor->ActiveDpc || !IsListEmpty(&Processor->DpcList);
        BOOLEAN Threaded = Processor->ActiveThreadedDpc || !IsListEmpty(&Processor->ThreadedDpcList);

        if ((Ordinary || Threaded) && !Flush) {
            Flush = ExpAllocate(sizeof(*Flush), 'hslF');
            Flush->Left = Flush->Count = 0;
            KeInitializeEvent(&Flush->Event, NotificationEvent, FALSE);
        }
        if (Ordinary)
            KiQueueFlush(Flush, i, FALSE);
        if (Threaded)
            KiQueueFlush(Flush, i, TRUE);
    }
    KiLowerIrql(OldIrql);
    if (!Flush)
        return;
    KeWaitForSingleObject(&Flush->Event, Executive, KernelMode, FALSE, NULL);
    ExpFree(Flush);
}
