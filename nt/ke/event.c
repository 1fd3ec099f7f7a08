/*
 * Events, semaphores, mutexes. (docs: KeSetEvent, KePulseEvent, KeReleaseSemaphore, KeReleaseMutex)
 */
#include "nt.h"

/* The header's other two bytes are flags of other objects; Windows does not write them either. */
static VOID KiInitializeHeader(DISPATCHER_HEADER *Header, UCHAR Type, ULONG Bytes, LONG SignalState)
{
    Header->Type = Type;
    Header->Size = (UCHAR)(Bytes / sizeof(ULONG));
    Header->SignalState = SignalState;
    InitializeListHead(&Header->WaitListHead);
}

/* Leave at the caller's level, or, with Wait, stay in the dispatcher for the wait that must follow. */
static VOID KiLeaveSignal(KIRQL OldIrql, BOOLEAN Wait)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Wait) {
        Thread->WaitNext = TRUE;
        Thread->WaitIrql = OldIrql;
        return;
    }
    KiExitDispatcher(OldIrql);
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

VOID KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    KiInitializeHeader(&Event->Header, Type == NotificationEvent ? EventNotificationObject : EventSynchronizationObject,
                       sizeof(*Event), State);
}

LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    LONG Old = Event->Header.SignalState;

    Event->Header.SignalState = 1;
    if (!Old && !IsListEmpty(&Event->Header.WaitListHead))
        KiWaitTest(Event, Increment);
    KiLeaveSignal(OldIrql, Wait);
    return Old;
}

LONG KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    LONG Old = Event->Header.SignalState;

    Event->Header.SignalState = 1;
    if (!Old && !IsListEmpty(&Event->Header.WaitListHead))
        KiWaitTest(Event, Increment);
    Event->Header.SignalState = 0;
    KiLeaveSignal(OldIrql, Wait);
    return Old;
}

LONG KeResetEvent(PRKEVENT Event)
{
    LONG Old = Event->Header.SignalState;

    Event->Header.SignalState = 0;
    return Old;
}

VOID KeClearEvent(PRKEVENT Event)
{
    Event->Header.SignalState = 0;
}

LONG KeReadStateEvent(PRKEVENT Event)
{
    return Event->Header.SignalState;
}

/* ---- Semaphores ----------------------------------------------------------------------------------------------------- */

VOID KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    KiInitializeHeader(&Semaphore->Header, SemaphoreObject, sizeof(*Semaphore), Count);
    Semaphore->Limit = Limit;
}

LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    LONG Old = Semaphore->Header.SignalState;
    INT64 New = (INT64)Old + Adjustment;

    if (Adjustment <= 0 || New > Semaphore->Limit) {
        KiLowerIrql(OldIrql);
        ExRaiseStatus(STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    }
    Semaphore->Header.SignalState = (LONG)New;
    if (!Old && !IsListEmpty(&Semaphore->Header.WaitListHead))
        KiWaitTest(Semaphore, Increment);
    KiLeaveSignal(OldIrql, Wait);
    return Old;
}

LONG KeReadStateSemaphore(PRKSEMAPHORE Semaphore)
{
    return Semaphore->Header.SignalState;
}

/* ---- Mutexes -------------------------------------------------------------------------------------------------------- */

static VOID KiInitializeMutant(PKMUTANT Mutant, BOOLEAN InitialOwner, UCHAR ApcDisable)
{
    KiInitializeHeader(&Mutant->Header, MutantObject, sizeof(*Mutant), InitialOwner ? 0 : 1);
    Mutant->OwnerThread = NULL;
    Mutant->Abandoned = FALSE;
    Mutant->ApcDisable = ApcDisable;
    if (InitialOwner) {
        PKTHREAD Thread = KeGetCurrentThread();
        Mutant->OwnerThread = Thread;
        VfAcquiredLock(&Thread->Held, Mutant, NULL);
        Thread->KernelApcDisable -= ApcDisable;
        InsertTailList(&Thread->MutantListHead, &Mutant->MutantListEntry);
    }
}

VOID KeInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    KiInitializeMutant(Mutex, FALSE, 1);
}

VOID KeInitializeMutant(PRKMUTANT Mutant, BOOLEAN InitialOwner)
{
    KiInitializeMutant(Mutant, InitialOwner, 0);
}

LONG KeReleaseMutant(PRKMUTANT Mutant, KPRIORITY Increment, BOOLEAN Abandoned, BOOLEAN Wait)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    PKTHREAD Thread = KeGetCurrentThread();
    LONG Old = Mutant->Header.SignalState;

    if (Abandoned) {
        Mutant->Header.SignalState = 1;
        Mutant->Abandoned = TRUE;
    } else {
        if (Mutant->OwnerThread != Thread) {
            KiLowerIrql(OldIrql);
            ExRaiseStatus(Mutant->Abandoned ? STATUS_ABANDONED : STATUS_MUTANT_NOT_OWNED);
        }
        Mutant->Header.SignalState++;
    }
    if (Mutant->Header.SignalState == 1) {
        if (Mutant->OwnerThread) {
            RemoveEntryList(&Mutant->MutantListEntry);
            VfReleasedLock(&Mutant->OwnerThread->Held, Mutant);
            Mutant->OwnerThread->KernelApcDisable += Mutant->ApcDisable;
        }
        Mutant->OwnerThread = NULL;
        if (!IsListEmpty(&Mutant->Header.WaitListHead))
            KiWaitTest(Mutant, Increment);
    }
    KiLeaveSignal(OldIrql, Wait);
    if (!Wait && !Thread->CombinedApcDisable && Thread->ApcState.KernelApcPending && OldIrql < APC_LEVEL) {
        KiRequestInterrupt(KiProcessor(), APC_LEVEL);
        KiDispatchPending();
    }
    return Old;
}

LONG KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    return KeReleaseMutant(Mutex, 1, FALSE, Wait);
}

LONG KeReadStateMutex(PRKMUTEX Mutex)
{
    return Mutex->Header.SignalState;
}

LONG KeReadStateMutant(PRKMUTANT Mutant)
{
    return Mutant->Header.SignalState;
}
