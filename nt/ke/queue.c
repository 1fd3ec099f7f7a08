/*
 * Kernel queues: threads wait for entries, and at most MaximumCount of them run at a time.
 *
 * A thread belongs to the queue it last took an entry from; while it waits for something else it doesn't count, and another may
 * go. (docs: KeInitializeQueue, KeInsertQueue, KeRemoveQueue, KeRundownQueue)
 */
#include "nt.h"

VOID KeInitializeQueue(PRKQUEUE Queue, ULONG Count)
{
    RtlZeroMemory(Queue, sizeof(*Queue));
    Queue->Header.Type = QueueObject;
    Queue->Header.Size = sizeof(*Queue) / sizeof(ULONG);
    InitializeListHead(&Queue->Header.WaitListHead);
    InitializeListHead(&Queue->EntryListHead);
    InitializeListHead(&Queue->ThreadListHead);
    Queue->MaximumCount = Count ? Count : KiDoor->processors;
}

static PLIST_ENTRY KiTakeEntry(PRKQUEUE Queue)
{
    PLIST_ENTRY Entry = RemoveHeadList(&Queue->EntryListHead);

    Queue->Header.SignalState--;
    Entry->Flink = NULL; /* says that it is on no queue */
    return Entry;
}

/* Give the first entry to the thread that began to wait last. TRUE if one went. */
BOOLEAN KiWakeQueueWaiter(PRKQUEUE Queue)
{
    PKWAIT_BLOCK Block;
    PKTHREAD Thread;

    if (Queue->CurrentCount)
        Queue->CurrentCount--; /* the caller is about to wait */
    if (IsListEmpty(&Queue->EntryListHead) || IsListEmpty(&Queue->Header.WaitListHead) ||
        Queue->CurrentCount >= Queue->MaximumCount)
        return FALSE;
    Block = CONTAINING_RECORD(Queue->Header.WaitListHead.Blink, KWAIT_BLOCK, WaitListEntry);
    Thread = Block->Thread;
    Thread->QueueEntry = KiTakeEntry(Queue); /* see KeRemoveQueue */
    KiUnwaitThread(Thread, STATUS_SUCCESS, 0);
    return TRUE;
}

static LONG KiInsertQueue(PRKQUEUE Queue, PLIST_ENTRY Entry, BOOLEAN Head)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    LONG Old = Queue->Header.SignalState;

    if (Head)
        InsertHeadList(&Queue->EntryListHead, Entry);
    else
        InsertTailList(&Queue->EntryListHead, Entry);
    Queue->Header.SignalState++;
    if (!IsListEmpty(&Queue->Header.WaitListHead) && Queue->CurrentCount < Queue->MaximumCount) {
        Queue->CurrentCount++; /* KiWakeQueueWaiter takes one off for a thread that waits; none does here */
        KiWakeQueueWaiter(Queue);
    }
    KiExitDispatcher(OldIrql);
    return Old;
}

LONG KeInsertQueue(PRKQUEUE Queue, PLIST_ENTRY Entry)
{
    return KiInsertQueue(Queue, Entry, FALSE);
}

LONG KeInsertHeadQueue(PRKQUEUE Queue, PLIST_ENTRY Entry)
{
    return KiInsertQueue(Queue, Entry, TRUE);
}

LONG KeReadStateQueue(PRKQUEUE Queue)
{
    return Queue->Header.SignalState;
}

/* The thread, running, belongs to its queue no more: another may go in its stead. */
VOID KiLeaveQueue(PKTHREAD Thread)
{
    PRKQUEUE Queue = Thread->Queue;

    if (!Queue)
        return;
    RemoveEntryList(&Thread->QueueListEntry);
    Thread->Queue = NULL;
    KiWakeQueueWaiter(Queue);
}

static VOID KiJoinQueue(PKTHREAD Thread, PRKQUEUE Queue)
{
    if (Thread->Queue == Queue) {
        Queue->CurrentCount--; /* it comes back for more */
        return;
    }
    KiLeaveQueue(Thread);
    Thread->Queue = Queue;
    InsertTailList(&Queue->ThreadListHead, &Thread->QueueListEntry);
}

/* Returns the entry, or the status (STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ABANDONED) as a pointer. */
static PLIST_ENTRY KiRemoveQueue(PRKQUEUE Queue, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    PKTHREAD Thread = KeGetCurrentThread();
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    NTSTATUS Status;

    KiJoinQueue(Thread, Queue);
    if (!IsListEmpty(&Queue->EntryListHead) && Queue->CurrentCount < Queue->MaximumCount) {
        PLIST_ENTRY Entry = KiTakeEntry(Queue);
        Queue->CurrentCount++;
        KiExitDispatcher(OldIrql);
        return Entry;
    }
    /* Unwaiting counts the thread in again, so it must look as if it left by waiting on the queue itself. */
    Queue->CurrentCount++;
    Thread->WaitNext = TRUE;
    Thread->WaitIrql = OldIrql;
    Thread->QueueEntry = NULL;
    Status = KeWaitForSingleObject(Queue, WrQueue, WaitMode, Alertable, Timeout);
    return Thread->QueueEntry ? Thread->QueueEntry : (PLIST_ENTRY)(LONG_PTR)Status;
}

PLIST_ENTRY KeRemoveQueue(PRKQUEUE Queue, KPROCESSOR_MODE WaitMode, PLARGE_INTEGER Timeout)
{
    return KiRemoveQueue(Queue, WaitMode, FALSE, Timeout);
}

/* docs: KeRemoveQueueEx: waits for the first entry and takes those that are there. A status is the only element then. */
ULONG KeRemoveQueueEx(PKQUEUE Queue, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                      PLIST_ENTRY *EntryArray, ULONG Count)
{
    PKTHREAD Thread = KeGetCurrentThread();
    ULONG Taken = 1;
    KIRQL OldIrql;

    EntryArray[0] = KiRemoveQueue(Queue, WaitMode, Alertable, Timeout);
    if (Thread->Queue != Queue || (LONG_PTR)EntryArray[0] == STATUS_TIMEOUT ||
        (LONG_PTR)EntryArray[0] == STATUS_USER_APC || (LONG_PTR)EntryArray[0] == STATUS_ALERTED)
        return 1;
    OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    while (Taken < Count && !IsListEmpty(&Queue->EntryListHead))
        EntryArray[Taken++] = KiTakeEntry(Queue);
    KiExitDispatcher(OldIrql);
    return Taken;
}

/* Afterwards nobody knows the queue: its memory may go. */
PLIST_ENTRY KeRundownQueue(PRKQUEUE Queue)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    PLIST_ENTRY First = NULL;

    if (!IsListEmpty(&Queue->EntryListHead)) {
        First = Queue->EntryListHead.Flink;
        RemoveEntryList(&Queue->EntryListHead);
        InitializeListHead(&Queue->EntryListHead);
        Queue->Header.SignalState = 0;
    }
    while (!IsListEmpty(&Queue->Header.WaitListHead))
        KiUnwaitThread(CONTAINING_RECORD(Queue->Header.WaitListHead.Flink, KWAIT_BLOCK, WaitListEntry)->Thread,
                       STATUS_ABANDONED, 0);
    while (!IsListEmpty(&Queue->ThreadListHead))
        CONTAINING_RECORD(RemoveHeadList(&Queue->ThreadListHead), struct _KTHREAD, QueueListEntry)->Queue = NULL;
    KiExitDispatcher(OldIrql);
    return First;
}
