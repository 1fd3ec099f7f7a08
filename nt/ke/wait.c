/*
 * Waiting and signalling, for every dispatcher object.
 *
 * A waiting thread has one wait block for each object (and one for its time-out), linked into the objects' wait lists in
 * the order of arrival. Signalling walks that list: a notification object releases everyone, the others as many as their
 * state allows. All at DISPATCH_LEVEL. (docs: KeWaitForSingleObject, KeWaitForMultipleObjects)
 */
#include "nt.h"

BOOLEAN KiIsSignalled(DISPATCHER_HEADER *Object, PKTHREAD Thread)
{
    if (Object->Type == QueueObject)
        return FALSE; /* a queue gives its entries itself, see KiWakeQueueWaiter */
    if (Object->Type == MutantObject)
        return Object->SignalState > 0 || ((PKMUTANT)Object)->OwnerThread == Thread;
    return Object->SignalState > 0;
}

/* Thread gets Object: the state changes as its type says. FALSE: a mutant was acquired too often (*Status says so). */
BOOLEAN KiSatisfyWait(DISPATCHER_HEADER *Object, PKTHREAD Thread, LONG *Status)
{
    PKMUTANT Mutant = (PKMUTANT)Object;

    switch (Object->Type) {
    case EventSynchronizationObject:
    case TimerSynchronizationObject:
        Object->SignalState = 0;
        break;
    case SemaphoreObject:
        Object->SignalState--;
        break;
    case MutantObject:
        if (Object->SignalState == (LONG)MINLONG) {
            *Status = STATUS_MUTANT_LIMIT_EXCEEDED;
            return FALSE;
        }
        if (--Object->SignalState == 0) {
            Thread->KernelApcDisable -= Mutant->ApcDisable;
            Mutant->OwnerThread = Thread;
            VfAcquiredLock(&Thread->Held, Mutant, NULL);
            if (Mutant->Abandoned) {
                Mutant->Abandoned = FALSE;
                *Status |= STATUS_ABANDONED;
            }
            InsertTailList(&Thread->MutantListHead, &Mutant->MutantListEntry);
        }
        break;
    }
    return TRUE;
}

VOID KiUnlinkWaits(PKTHREAD Thread)
{
    for (ULONG i = 0; i < Thread->WaitCount; i++) {
        RemoveEntryList(&Thread->WaitBlockList[i].WaitListEntry);
        VfPageOf(Thread->WaitBlockList[i].Object)->Waits--;
    }
    Thread->WaitCount = 0;
    KiRemoveTimer(&Thread->Timer);
    RemoveEntryList(&Thread->WaitBlock[THREAD_WAIT_OBJECTS].WaitListEntry);
    InitializeListHead(&Thread->WaitBlock[THREAD_WAIT_OBJECTS].WaitListEntry);
}

VOID KiUnwaitThread(PKTHREAD Thread, LONG WaitStatus, KPRIORITY Increment)
{
    KiUnlinkWaits(Thread);
    Thread->WaitStatus = WaitStatus;
    if (Thread->Queue)
        Thread->Queue->CurrentCount++;
    if (Increment > 0 && Thread->BasePriority < LOW_REALTIME_PRIORITY) {
        LONG Boosted = Thread->BasePriority + Increment;
        if (Boosted > 15)
            Boosted = 15;
        if (Boosted > Thread->Priority)
            Thread->Priority = (SCHAR)Boosted;
    }
    KiReadyThread(Thread);
}

/* WaitAll: can Thread have all its objects now? */
static BOOLEAN KiAllSignalled(PKTHREAD Thread)
{
    for (ULONG i = 0; i < Thread->WaitCount; i++)
        if (!KiIsSignalled(Thread->WaitBlockList[i].Object, Thread))
            return FALSE;
    return TRUE;
}

VOID KiWaitTest(PVOID Body, KPRIORITY Increment)
{
    DISPATCHER_HEADER *Object = Body;
    PLIST_ENTRY Entry = Object->WaitListHead.Flink;

    while (Object->SignalState > 0 && Entry != &Object->WaitListHead) {
        PKWAIT_BLOCK Block = CONTAINING_RECORD(Entry, KWAIT_BLOCK, WaitListEntry);
        PKTHREAD Thread = Block->Thread;
        LONG Status = Block->WaitKey;

        Entry = Entry->Flink;
        if (Block->WaitType == WaitAny) {
            KiSatisfyWait(Object, Thread, &Status);
        } else {
            if (!KiAllSignalled(Thread))
                continue;
            Status = STATUS_SUCCESS;
            for (ULONG i = 0; i < Thread->WaitCount; i++)
                KiSatisfyWait(Thread->WaitBlockList[i].Object, Thread, &Status);
        }
        KiUnwaitThread(Thread, Status, Increment);
        Entry = Object->WaitListHead.Flink; /* the thread may have waited on it twice */
    }
}

/* A thread that waits for an object in the range, and which; NULL = none. */
PKTHREAD KiFindWaiter(UINT64 Start, UINT64 Bytes, PVOID *Object)
{
    for (PKTHREAD Thread = PspNextThread(NULL); Thread; Thread = PspNextThread(Thread)) {
        for (ULONG i = 0; Thread->State == KiWaiting && i < Thread->WaitCount; i++) {
            *Object = Thread->WaitBlockList[i].Object;
            if ((UINT64)*Object - Start < Bytes)
                return Thread;
        }
    }
    return NULL;
}

/* ---- The wait itself -------------------------------------------------------------------------------------------- */

/* Enter the dispatcher for a wait: a preceding KeSetEvent(..., Wait = TRUE) has left us in it already. */
static VOID KiEnterWait(PKTHREAD Thread)
{
    if (Thread->WaitNext) {
        Thread->WaitNext = FALSE;
        return;
    }
    Thread->WaitIrql = KiRaiseIrql(DISPATCH_LEVEL);
}

static VOID KiLinkBlock(PKTHREAD Thread, PKWAIT_BLOCK Block, PVOID Object, USHORT Key, UCHAR Type)
{
    Block->Object = Object;
    Block->Thread = Thread;
    Block->WaitKey = Key;
    Block->WaitType = Type;
    InsertTailList(&((DISPATCHER_HEADER *)Object)->WaitListHead, &Block->WaitListEntry);
}

/* A wait that would block at DISPATCH_LEVEL or above: no thread can be switched to there. */
static VOID KiRefuseBlocking(PKTHREAD Thread)
{
    VfFinding("irql.wait-at-dispatch", 0xB8, (UINT64)Thread, (UINT64)KiProcessor()->NextThread, 0, 0);
    VfText("a wait at %s would have to block", VfLevelName(Thread->WaitIrql));
    KiProcessor()->Irql = Thread->WaitIrql;
    VfNoteCaller(NULL);
    VfNoteLevel();
    VfCommit();
    KiBugCheck(0xB8, (UINT64)Thread, 0, 0, 0);
}

/* Absolute due time for a relative one, so that a wait that starts over (after an APC) keeps its end. */
static PLARGE_INTEGER KiFixTimeout(PLARGE_INTEGER Timeout, PLARGE_INTEGER Fixed)
{
    if (!Timeout || Timeout->QuadPart >= 0)
        return Timeout;
    Fixed->QuadPart = (INT64)(KiDoor->boot_time + KiDoor->now) - Timeout->QuadPart;
    return Fixed;
}

/* The thread's blocks are linked; wait until somebody unwaits it. */
static LONG KiBlock(PKTHREAD Thread, PLARGE_INTEGER Timeout)
{
    PKWAIT_BLOCK TimerBlock = &Thread->WaitBlock[THREAD_WAIT_OBJECTS];

    if (Thread->WaitIrql >= DISPATCH_LEVEL)
        KiRefuseBlocking(Thread);
    InitializeListHead(&TimerBlock->WaitListEntry);
    if (Timeout) {
        InitializeListHead(&Thread->Timer.Header.WaitListHead);
        KiLinkBlock(Thread, TimerBlock, &Thread->Timer, (USHORT)STATUS_TIMEOUT, WaitAny);
        KiInsertTimer(&Thread->Timer, *Timeout, 0, 0);
    }
    Thread->State = KiWaiting;
    if (Thread->Queue)
        KiWakeQueueWaiter(Thread->Queue);
    return KiSwapThread();
}

/* A kernel APC runs before the wait; the wait then starts over. One that a region holds off does not count. */
static BOOLEAN KiApcComesFirst(PKTHREAD Thread)
{
    if (Thread->WaitIrql >= APC_LEVEL || !KiApcCanRun(Thread))
        return FALSE;
    KiRequestInterrupt(KiProcessor(), APC_LEVEL);
    return TRUE;
}

static BOOLEAN KiUserApcEnds(PKTHREAD Thread, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable)
{
    return WaitMode == UserMode &&
           (Thread->UserEnds || (Alertable && !IsListEmpty(&Thread->ApcState.ApcListHead[UserMode])));
}

NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                  KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                  PKWAIT_BLOCK WaitBlockArray)
{
    PKTHREAD Thread = KeGetCurrentThread();
    PKWAIT_BLOCK Blocks = WaitBlockArray ? WaitBlockArray : Thread->WaitBlock;
    LARGE_INTEGER Fixed;
    LONG Status;

    if (Count > (WaitBlockArray ? MAXIMUM_WAIT_OBJECTS : THREAD_WAIT_OBJECTS))
        KiBugCheck(0x0C /* MAXIMUM_WAIT_OBJECTS_EXCEEDED */, Count, 0, 0, 0);
    Timeout = KiFixTimeout(Timeout, &Fixed);
    for (;;) {
        ULONG Ready = 0;

        KiEnterWait(Thread);
        if (KiApcComesFirst(Thread)) {
            KiLowerIrql(Thread->WaitIrql);
            continue;
        }
        Status = STATUS_SUCCESS;
        for (ULONG i = 0; i < Count; i++) {
            if (!KiIsSignalled(Object[i], Thread))
                continue;
            Ready++;
            if (WaitType == WaitAny) {
                Status = (LONG)i;
                if (!KiSatisfyWait(Object[i], Thread, &Status)) {
                    KiLowerIrql(Thread->WaitIrql);
                    ExRaiseStatus(Status);
                }
                goto done;
            }
        }
        if (WaitType == WaitAll && Ready == Count) {
            for (ULONG i = 0; i < Count; i++)
                KiSatisfyWait(Object[i], Thread, &Status);
            goto done;
        }
        if (KiUserApcEnds(Thread, WaitMode, Alertable)) {
            Thread->ApcState.UserApcPending = TRUE;
            Status = STATUS_USER_APC;
            goto done;
        }
        if (Timeout && Timeout->QuadPart == 0) {
            Status = STATUS_TIMEOUT;
            goto done;
        }
        for (ULONG i = 0; i < Count; i++) {
            KiLinkBlock(Thread, &Blocks[i], Object[i], (USHORT)i, (UCHAR)WaitType);
            VfPageOf(Object[i])->Waits++;
        }
        Thread->WaitBlockList = Blocks;
        Thread->WaitCount = Count;
        Thread->WaitMode = WaitMode;
        Thread->WaitReason = (UCHAR)WaitReason;
        Thread->Alertable = Alertable;
        Status = KiBlock(Thread, Timeout);
        KiLowerIrql(Thread->WaitIrql);
        if (Status != STATUS_KERNEL_APC)
            return Status;
    }
done:
    KiExitDispatcher(Thread->WaitIrql);
    return Status;
}

NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                               PLARGE_INTEGER Timeout)
{
    PKMUTANT Mutant = Object;

    if (!Timeout && Mutant->Header.Type == MutantObject && Mutant->OwnerThread != KeGetCurrentThread())
        VfWantsLock(Mutant, VfMutex);
    return KeWaitForMultipleObjects(1, &Object, WaitAny, WaitReason, WaitMode, Alertable, Timeout, NULL);
}

NTSTATUS KiExportKeWaitForMutexObject(PVOID Mutex, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                      PLARGE_INTEGER Timeout)
{
    return KeWaitForSingleObject(Mutex, WaitReason, WaitMode, Alertable, Timeout);
}

/* A delay is a wait for nothing but time. The shortest one still lets others of the same priority go. */
NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    PKTHREAD Thread = KeGetCurrentThread();
    LARGE_INTEGER Fixed, Due = *Interval;
    LONG Status = STATUS_SUCCESS;

    if (Due.QuadPart < 0)
        Due = *KiFixTimeout(&Due, &Fixed);
    else if (!Due.QuadPart)
        KiCountBusy(1); /* a yield is no wait: a loop of them must come to an end */
    for (;;) {
        KiEnterWait(Thread);
        if (KiApcComesFirst(Thread)) {
            KiLowerIrql(Thread->WaitIrql);
            continue;
        }
        if (KiUserApcEnds(Thread, WaitMode, Alertable)) {
            Thread->ApcState.UserApcPending = TRUE;
            KiExitDispatcher(Thread->WaitIrql);
            return STATUS_USER_APC;
        }
        Thread->WaitBlockList = Thread->WaitBlock;
        Thread->WaitCount = 0;
        Thread->WaitMode = WaitMode;
        Thread->WaitReason = DelayExecution;
        Thread->Alertable = Alertable;
        Status = KiBlock(Thread, &Due);
        KiLowerIrql(Thread->WaitIrql);
        if (Status == STATUS_TIMEOUT)
            return STATUS_SUCCESS;
        if (Status != STATUS_KERNEL_APC)
            return Status;
    }
}
