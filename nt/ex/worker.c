/*
 * System worker threads: a queue for each WORK_QUEUE_TYPE, served by threads that run at PASSIVE_LEVEL in the System
 * process. (docs: ExQueueWorkItem, "System Worker Threads")
 *
 * The caller's item must be resident and stay until its routine has begun; the routine may free it. The verifier knows
 * the items that are queued, so it notices when one goes away before.
 *
 * Threads: each queue begins with the few below. Before a thread runs an item it makes sure that another one of its
 * queue is idle, so items that wait for each other cannot stop a queue. How many of them run at a time is the business
 * of the KQUEUE.
 */
#include "nt.h"

#define EX_WORKERS_LIMIT 256 /* of one queue */

typedef struct _EX_WORK_QUEUE {
    KQUEUE Queue;
    ULONG Threads, Idle;
} EX_WORK_QUEUE, *PEX_WORK_QUEUE;

static EX_WORK_QUEUE ExpWorkQueue[MaximumWorkQueue];

/* Threads to begin with, and their priority. */
static const struct {
    UCHAR Threads, Priority;
} ExpWorkers[MaximumWorkQueue] = {
    [CriticalWorkQueue] = {3, 13},      [DelayedWorkQueue] = {3, 12},   [HyperCriticalWorkQueue] = {1, 15},
    [NormalWorkQueue] = {1, 8},         [BackgroundWorkQueue] = {1, 7}, [RealTimeWorkQueue] = {1, 18},
    [SuperCriticalWorkQueue] = {1, 14},
};

static VOID ExpWorker(PVOID Context);

static BOOLEAN ExpCreateWorker(PEX_WORK_QUEUE Queue)
{
    PETHREAD Thread;

    if (Queue->Threads >= EX_WORKERS_LIMIT || !NT_SUCCESS(PspCreateSystemThread(ExpWorker, Queue, FALSE, &Thread)))
        return FALSE;
    Queue->Threads++;
    Queue->Idle++; /* until it takes its first item */
    KeSetPriorityThread((PKTHREAD)Thread, ExpWorkers[Queue - ExpWorkQueue].Priority);
    ObDereferenceObject(Thread);
    return TRUE;
}

VOID ExInitializeWorkers(VOID)
{
    ExpInitializeCallbacks();
    for (ULONG Type = 0; Type < MaximumWorkQueue; Type++) {
        KeInitializeQueue(&ExpWorkQueue[Type].Queue, 0);
        for (ULONG i = 0; i < ExpWorkers[Type].Threads; i++)
            if (!ExpCreateWorker(&ExpWorkQueue[Type]))
                KiInternalError("no memory for worker threads");
    }
}

static BOOLEAN ExpIsDriverCode(PVOID Routine)
{
    PMI_IMAGE Image = MmImageOf((UINT64)Routine);
    return Image && Image->Driver;
}

/* What a work item's routine must leave as it was, besides the level and locks that the verifier looks at. */
static VOID ExpCheckReturn(PVF_CALLBACK Callback, PVOID Parameter)
{
    PKTHREAD Thread = KeGetCurrentThread();
    UINT64 Frame = (UINT64)Callback->Routine + 1;

    if (!Thread->CombinedApcDisable)
        return;
    VfFinding("workitem.apcs-disabled", 0x20, (UINT64)Callback->Routine, Thread->CombinedApcDisable, (UINT64)Parameter,
              (UINT64)Callback->Object);
    VfSubject("WORKER_THREAD_ROUTINE");
    VfText("the routine of a work item returned inside a %s region",
           Thread->SpecialApcDisable ? "guarded" : "critical");
    VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), Callback->Object, Callback->What, "");
    VfNote(DOOR_NOTE_OBJECT, Callback->Stack, Callback->Object, NULL, "%s", Callback->StackText);
    VfCommit();
    Thread->CombinedApcDisable = 0;
}

static VOID ExpRunItem(PWORK_QUEUE_ITEM Item)
{
    PWORKER_THREAD_ROUTINE Routine = Item->WorkerRoutine;
    PVOID Parameter = Item->Parameter;
    VF_CALLBACK Callback = {
        .Contract = "WORKER_THREAD_ROUTINE",
        .What = "work item %o",
        .Routine = Routine,
        .Object = Item,
        .StackText = "The work item was queued at:",
    };

    if (!ExpIsDriverCode(Routine)) {
        Routine(Parameter);
        return;
    }
    Callback.Stack = VfTrackedStack(Item);
    VfUntrack(Item, VfWorkItem);
    VfEnterCallback(&Callback);
    Routine(Parameter);
    VfLeaveCallback(&Callback);
    ExpCheckReturn(&Callback, Parameter);
}

static VOID ExpWorker(PVOID Context)
{
    PEX_WORK_QUEUE Queue = Context;

    for (;;) {
        PLIST_ENTRY Entry = KeRemoveQueue(&Queue->Queue, KernelMode, NULL);
        PWORK_QUEUE_ITEM Item = CONTAINING_RECORD(Entry, WORK_QUEUE_ITEM, List);

        Item->List.Flink = NULL; /* it may be queued again */
        if (!--Queue->Idle)
            ExpCreateWorker(Queue);
        ExpRunItem(Item);
        Queue->Idle++;
    }
}

static VOID ExpReportItem(PWORK_QUEUE_ITEM Item, ULONG Kind, ULONG Queue, PCSTR Rule, PCSTR Text)
{
    ULONG Before = VfTrackedStack(Item);

    VfFinding(Rule, 0xE4, Kind, (UINT64)Item, Queue, 0);
    VfSubject("ExQueueWorkItem");
    VfText("%s", Text);
    VfNoteCaller(NULL);
    if (Before)
        VfNote(DOOR_NOTE_OBJECT, Before, Item, NULL, "The work item %%o was queued before at:");
    VfCommit();
}

VOID NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    ULONG Type = (ULONG)QueueType;
    BOOLEAN OfDriver = ExpIsDriverCode((PVOID)WorkItem->WorkerRoutine);

    /* docs: WORK_QUEUE_TYPE: CustomPriorityWorkQueue plus a priority. The queue of the next higher priority serves. */
    if (Type > 32 && Type < 64)
        Type = Type - 32 > 15   ? RealTimeWorkQueue
               : Type - 32 > 14 ? HyperCriticalWorkQueue
               : Type - 32 > 12 ? CriticalWorkQueue
                                : DelayedWorkQueue;
    if (Type >= MaximumWorkQueue) {
        ExpReportItem(WorkItem, 6, Type, "workitem.bad-queue", "a work item was queued to a queue that does not exist");
        return;
    }
    if (OfDriver && VfIsTracked(WorkItem)) {
        ExpReportItem(WorkItem, 1, Type, "workitem.queued-twice",
                      "a work item was queued whose routine has not been called yet");
        return;
    }
    if (WorkItem->List.Flink) {
        ExpReportItem(WorkItem, 1, Type, "object.not-initialized",
                      "a work item was queued that ExInitializeWorkItem has not initialised");
        return;
    }
    if ((UINT64)WorkItem->WorkerRoutine < DOOR_KERNEL_BASE) {
        ExpReportItem(WorkItem, 7, Type, "workitem.bad-routine",
                      "a work item was queued whose routine is not kernel code");
        return;
    }
    if (OfDriver)
        VfTrack(WorkItem, sizeof(*WorkItem), VfWorkItem, (PVOID)WorkItem->WorkerRoutine, VfCaptureStack());
    KeInsertQueue(&ExpWorkQueue[Type].Queue, &WorkItem->List);
}

VOID ExpWithdrawWorkItem(PVOID Object)
{
    PWORK_QUEUE_ITEM Item = Object;

    for (ULONG Type = 0; Type < MaximumWorkQueue; Type++) {
        PKQUEUE Queue = &ExpWorkQueue[Type].Queue;
        for (PLIST_ENTRY Entry = Queue->EntryListHead.Flink; Entry != &Queue->EntryListHead; Entry = Entry->Flink) {
            if (Entry != &Item->List)
                continue;
            RemoveEntryList(Entry);
            Entry->Flink = NULL;
            Queue->Header.SignalState--;
            IopForgetWorkItem(Item);
            return;
        }
    }
}
