/*
 * How a transaction ends (docs: "Handling Commit Operations", "Handling Rollback Operations", TRANSACTION_NOTIFY_XXX).
 *
 * Commit: all enlistments that asked for it pre-prepare, then prepare, then the outcome is decided, then they commit.
 * The next phase begins when the last one has answered. With a superior enlistment the superior gives the orders; a
 * single enlistment that wants it commits in one phase. Rollback may begin until the outcome is decided. The kernel's
 * own participants (the registry) end with the decision.
 *
 * Telling an enlistment may call a driver, which may answer at once: TmpAdvance is entered once per transaction and
 * loops.
 */
#include "nt.h"
#include "tm/tmp.h"

static VOID TmpDecide(PKTRANSACTION Transaction, BOOLEAN Committed)
{
    while (!IsListEmpty(&Transaction->Participants)) {
        PTM_PARTICIPANT Participant = CONTAINING_RECORD(Transaction->Participants.Flink, TM_PARTICIPANT, Entry);
        RemoveEntryList(&Participant->Entry);
        Participant->End(Participant, Committed);
    }
}

/* Ask those whose mask has Notification; the superior is not asked. Enlistments may go meanwhile, so they are held. */
static VOID TmpAsk(PKTRANSACTION Transaction, ULONG Notification)
{
    ULONG Count = 0;
    PKENLISTMENT *Asked;
    for (PLIST_ENTRY Entry = Transaction->Enlistments.Flink; Entry != &Transaction->Enlistments; Entry = Entry->Flink)
        Count++;
    if (!Count)
        return;
    Asked = ExpAllocate(Count * sizeof(*Asked), 'egaM');
    Count = 0;
    for (PLIST_ENTRY Entry = Transaction->Enlistments.Flink; Entry != &Transaction->Enlistments; Entry = Entry->Flink) {
        PKENLISTMENT Enlistment = CONTAINING_RECORD(Entry, KENLISTMENT, Entry);
        if (Enlistment->Superior || !(Enlistment->Mask & Notification))
            continue;
        ObfReferenceObject(Enlistment);
        Enlistment->Asked = Notification;
        Transaction->Awaited++;
        Asked[Count++] = Enlistment;
    }
    for (ULONG i = 0; i < Count; i++) {
        if (Asked[i]->Asked == Notification)
            TmpTell(Asked[i], Notification);
        ObfDereferenceObject(Asked[i]);
    }
    ExpFree(Asked);
}

static VOID TmpTellSuperior(PKTRANSACTION Transaction, ULONG Notification)
{
    PKENLISTMENT Superior = Transaction->Superior;
    if (!Superior || !(Superior->Mask & Notification))
        return;
    ObfReferenceObject(Superior);
    TmpTell(Superior, Notification);
    ObfDereferenceObject(Superior);
}

/* All have been told of the outcome: they take no part any more. */
static VOID TmpFinish(PKTRANSACTION Transaction)
{
    while (!IsListEmpty(&Transaction->Enlistments)) {
        PLIST_ENTRY Entry = RemoveHeadList(&Transaction->Enlistments);
        InitializeListHead(Entry);
    }
    Transaction->Superior = NULL;
    KeSetEvent(&Transaction->Ended, 0, FALSE);
}

static VOID TmpEnter(PKTRANSACTION Transaction, TM_PHASE Phase)
{
    static const ULONG Notification[] = {[TmPrePreparing] = TRANSACTION_NOTIFY_PREPREPARE,
                                         [TmPreparing] = TRANSACTION_NOTIFY_PREPARE,
                                         [TmSinglePhase] = TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT,
                                         [TmCommitting] = TRANSACTION_NOTIFY_COMMIT,
                                         [TmRollingBack] = TRANSACTION_NOTIFY_ROLLBACK};
    Transaction->Phase = Phase;
    if (Phase == TmCommitting || Phase == TmRollingBack)
        TmpDecide(Transaction, Phase == TmCommitting);
    TmpAsk(Transaction, Notification[Phase]);
}

/* The phase is over: what follows. FALSE: nothing by itself. */
static BOOLEAN TmpNext(PKTRANSACTION Transaction)
{
    switch (Transaction->Phase) {
    case TmPrePreparing:
        if (!Transaction->Superior)
            return TmpEnter(Transaction, TmPreparing), TRUE;
        Transaction->Phase = TmPrePrepared;
        TmpTellSuperior(Transaction, TRANSACTION_NOTIFY_PREPREPARE_COMPLETE);
        return FALSE;
    case TmPreparing:
        if (!Transaction->Superior)
            return TmpEnter(Transaction, TmCommitting), TRUE;
        Transaction->Phase = TmPrepared;
        TmpTellSuperior(Transaction, TRANSACTION_NOTIFY_PREPARE_COMPLETE);
        return FALSE;
    case TmSinglePhase:
        TmpDecide(Transaction, TRUE);
        Transaction->Phase = TmCommitted;
        TmpFinish(Transaction);
        return FALSE;
    case TmCommitting:
        Transaction->Phase = TmCommitted;
        TmpTellSuperior(Transaction, TRANSACTION_NOTIFY_COMMIT_COMPLETE);
        TmpFinish(Transaction);
        return FALSE;
    case TmRollingBack:
        Transaction->Phase = TmAborted;
        TmpTellSuperior(Transaction, TRANSACTION_NOTIFY_ROLLBACK_COMPLETE);
        TmpFinish(Transaction);
        return FALSE;
    default:
        return FALSE;
    }
}

static VOID TmpAdvance(PKTRANSACTION Transaction)
{
    if (Transaction->Advancing)
        return;
    Transaction->Advancing = TRUE;
    ObfReferenceObject(Transaction);
    while (!Transaction->Awaited && TmpNext(Transaction))
        ;
    Transaction->Advancing = FALSE;
    ObfDereferenceObject(Transaction);
}

/* Begin a phase, as if from within TmpAdvance: answers that come at once only count. */
static VOID TmpBegin(PKTRANSACTION Transaction, TM_PHASE Phase)
{
    BOOLEAN Before = Transaction->Advancing;
    Transaction->Advancing = TRUE;
    TmpEnter(Transaction, Phase);
    Transaction->Advancing = Before;
    TmpAdvance(Transaction);
}

static BOOLEAN TmpIsSinglePhase(PKTRANSACTION Transaction)
{
    PLIST_ENTRY First = Transaction->Enlistments.Flink;
    return First != &Transaction->Enlistments && First->Flink == &Transaction->Enlistments && !Transaction->Superior &&
           (CONTAINING_RECORD(First, KENLISTMENT, Entry)->Mask & TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT);
}

static NTSTATUS TmpAwaitEnd(PKTRANSACTION Transaction, BOOLEAN Wait, TM_PHASE Wanted)
{
    if (Wait)
        KeWaitForSingleObject(&Transaction->Ended, Executive, KernelMode, FALSE, NULL);
    if (Transaction->Phase != TmCommitted && Transaction->Phase != TmAborted)
        return STATUS_PENDING;
    if (Transaction->Phase == Wanted)
        return STATUS_SUCCESS;
    return Wanted == TmCommitted ? STATUS_TRANSACTION_ABORTED : STATUS_TRANSACTION_ALREADY_COMMITTED;
}

/* docs: ZwCommitTransaction: without waiting, STATUS_PENDING until the outcome is known. */
NTSTATUS TmpCommit(PKTRANSACTION Transaction, BOOLEAN Wait)
{
    if (Transaction->Phase == TmAborted || Transaction->Phase == TmRollingBack)
        return STATUS_TRANSACTION_ALREADY_ABORTED;
    if (Transaction->Phase == TmCommitted || Transaction->Phase == TmCommitting)
        return STATUS_TRANSACTION_ALREADY_COMMITTED;
    if (Transaction->Phase != TmActive)
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    if (Transaction->Superior)
        TmpTellSuperior(Transaction, TRANSACTION_NOTIFY_COMMIT_REQUEST);
    else
        TmpBegin(Transaction, TmpIsSinglePhase(Transaction) ? TmSinglePhase : TmPrePreparing);
    return TmpAwaitEnd(Transaction, Wait, TmCommitted);
}

NTSTATUS TmpRollback(PKTRANSACTION Transaction, BOOLEAN Wait)
{
    if (Transaction->Phase == TmAborted || Transaction->Phase == TmRollingBack)
        return STATUS_TRANSACTION_ALREADY_ABORTED;
    if (Transaction->Phase == TmCommitted || Transaction->Phase == TmCommitting)
        return STATUS_TRANSACTION_ALREADY_COMMITTED;
    for (PLIST_ENTRY Entry = Transaction->Enlistments.Flink; Entry != &Transaction->Enlistments; Entry = Entry->Flink)
        CONTAINING_RECORD(Entry, KENLISTMENT, Entry)->Asked = 0; /* whatever was asked before */
    Transaction->Awaited = 0;
    TmpBegin(Transaction, TmRollingBack);
    return TmpAwaitEnd(Transaction, Wait, TmAborted);
}

NTSTATUS TmpAnswer(PKENLISTMENT Enlistment, ULONG Asked)
{
    PKTRANSACTION Transaction = Enlistment->Transaction;
    BOOLEAN Single = Asked == TRANSACTION_NOTIFY_COMMIT && Enlistment->Asked == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT;
    if (Enlistment->Asked != Asked && !Single)
        return STATUS_TRANSACTION_NOT_REQUESTED;
    Enlistment->Asked = 0;
    Transaction->Awaited--;
    TmpAdvance(Transaction);
    return STATUS_SUCCESS;
}

static VOID TmpLeave(PKENLISTMENT Enlistment)
{
    RemoveEntryList(&Enlistment->Entry);
    InitializeListHead(&Enlistment->Entry);
}

/* docs: ZwReadOnlyEnlistment: it has changed nothing and wants to hear no more. */
NTSTATUS TmpReadOnly(PKENLISTMENT Enlistment)
{
    PKTRANSACTION Transaction = Enlistment->Transaction;
    if (Transaction->Phase > TmPreparing || IsListEmpty(&Enlistment->Entry))
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    TmpLeave(Enlistment);
    if (!Enlistment->Asked)
        return STATUS_SUCCESS;
    Enlistment->Asked = 0;
    Transaction->Awaited--;
    TmpAdvance(Transaction);
    return STATUS_SUCCESS;
}

/* docs: ZwSinglePhaseReject: the usual phases follow. */
NTSTATUS TmpReject(PKENLISTMENT Enlistment)
{
    PKTRANSACTION Transaction = Enlistment->Transaction;
    if (Enlistment->Asked != TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT)
        return STATUS_TRANSACTION_NOT_REQUESTED;
    Enlistment->Asked = 0;
    Enlistment->Mask &= ~TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT;
    Transaction->Awaited--;
    TmpBegin(Transaction, TmPrePreparing);
    return STATUS_SUCCESS;
}

/* docs: ZwRollbackEnlistment. Who has prepared may no more, unless it is the superior. */
NTSTATUS TmpRollbackBy(PKENLISTMENT Enlistment)
{
    PKTRANSACTION Transaction = Enlistment->Transaction;
    if (IsListEmpty(&Enlistment->Entry))
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    if (!Enlistment->Superior && Transaction->Phase == TmPreparing && Enlistment->Asked != TRANSACTION_NOTIFY_PREPARE)
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    NTSTATUS Status = TmpRollback(Transaction, FALSE);
    return Status == STATUS_PENDING ? STATUS_SUCCESS : Status;
}

NTSTATUS TmpOrder(PKENLISTMENT Enlistment, TM_PHASE Phase)
{
    PKTRANSACTION Transaction = Enlistment->Transaction;
    static const ULONG Answer[] = {[TmPrePreparing] = TRANSACTION_NOTIFY_PREPREPARE_COMPLETE,
                                   [TmPreparing] = TRANSACTION_NOTIFY_PREPARE_COMPLETE,
                                   [TmCommitting] = TRANSACTION_NOTIFY_COMMIT_COMPLETE};
    if (!Enlistment->Superior)
        return STATUS_ENLISTMENT_NOT_SUPERIOR;
    if (!(Enlistment->Mask & Answer[Phase]))
        return STATUS_INVALID_PARAMETER;
    BOOLEAN Fits = Phase == TmPrePreparing ? Transaction->Phase == TmActive
                   : Phase == TmPreparing  ? Transaction->Phase == TmActive || Transaction->Phase == TmPrePrepared
                                           : Transaction->Phase == TmPrepared;
    if (!Fits)
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    TmpBegin(Transaction, Phase);
    return STATUS_SUCCESS;
}

NTSTATUS TmpJoin(PKTRANSACTION Transaction, PTM_PARTICIPANT Participant)
{
    if (Transaction->Phase != TmActive)
        return STATUS_TRANSACTION_NOT_ACTIVE;
    InsertTailList(&Transaction->Participants, &Participant->Entry);
    return STATUS_SUCCESS;
}
