/*
 * The registry's part in transactions: whose marks are seen by whom, and what becomes of them.
 *
 * One transaction at a time may change a key. A change from outside wins against one that is not committed: the
 * transaction is rolled back.
 */
#include "nt.h"
#include "cm/cmp.h"
#include "tm/tmp.h"

typedef struct _CM_TRANSACTION {
    TM_PARTICIPANT Participant;
    LIST_ENTRY Entry;     /* of all that are active */
    PKTRANSACTION Object; /* referenced */
    ULONG References;     /* key objects, and the participant while it is active */
    BOOLEAN Active;
    LIST_ENTRY Marks; /* in the order of the changes */
} CM_TRANSACTION, *PCM_TRANSACTION;

static LIST_ENTRY CmpTransactions = {&CmpTransactions, &CmpTransactions};

#define CmpMarkedKey(AMark) CONTAINING_RECORD(AMark, CM_KEY, Mark)
#define CmpMarkedValue(AMark) CONTAINING_RECORD(AMark, CM_VALUE, Mark)

BOOLEAN CmpSees(PCM_MARK Mark, PCM_TRANSACTION Transaction)
{
    if (Mark->CreatedBy)
        return Mark->CreatedBy == Transaction;
    return !Mark->DeletedBy || Mark->DeletedBy != Transaction;
}

static VOID CmpSetMark(PCM_KEY Parent, PCM_MARK Mark, PCM_TRANSACTION Transaction)
{
    InsertTailList(&Transaction->Marks, &Mark->Entry);
    Parent->Owner = Transaction;
    Parent->Pending++;
}

VOID CmpMarkCreated(PCM_KEY Parent, PCM_MARK Mark, PCM_TRANSACTION Transaction)
{
    if (!Transaction)
        return;
    Mark->CreatedBy = Transaction;
    CmpSetMark(Parent, Mark, Transaction);
}

VOID CmpMarkDeleted(PCM_KEY Parent, PCM_MARK Mark, PCM_TRANSACTION Transaction)
{
    Mark->DeletedBy = Transaction;
    CmpSetMark(Parent, Mark, Transaction);
}

VOID CmpForget(PCM_MARK Mark, PCM_KEY Parent)
{
    if (!Mark->CreatedBy && !Mark->DeletedBy)
        return;
    RemoveEntryList(&Mark->Entry);
    Mark->CreatedBy = Mark->DeletedBy = NULL;
    if (--Parent->Pending == 0)
        Parent->Owner = NULL;
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

static PCM_KEY CmpParentOf(PCM_MARK Mark)
{
    return Mark->IsValue ? CmpMarkedValue(Mark)->Key : CmpMarkedKey(Mark)->Parent;
}

/* What it has made is there for all (or goes), what it has taken away goes (or is there again). Telling who watches
 * comes last for each: it is a delivery point. */
static VOID CmpSettle(PCM_MARK Mark, BOOLEAN Keep)
{
    PCM_KEY Parent = CmpParentOf(Mark);
    BOOLEAN Goes = Mark->CreatedBy ? !Keep : Keep, IsValue = Mark->IsValue;
    CmpForget(Mark, Parent);
    CmpReferenceKey(Parent);
    if (Goes && IsValue)
        CmpRemoveValue(CmpMarkedValue(Mark));
    else if (Goes)
        CmpUnlinkKey(CmpMarkedKey(Mark));
    if (Keep)
        CmpNotify(Parent, IsValue ? REG_NOTIFY_CHANGE_LAST_SET : REG_NOTIFY_CHANGE_NAME);
    CmpDereferenceKey(Parent);
}

/* The transaction manager says how it ends. A key comes before what is below it, so undoing goes backward. */
static VOID CmpEndTransaction(PTM_PARTICIPANT Participant, BOOLEAN Keep)
{
    PCM_TRANSACTION Transaction = CONTAINING_RECORD(Participant, CM_TRANSACTION, Participant);
    Transaction->Active = FALSE;
    RemoveEntryList(&Transaction->Entry);
    while (!IsListEmpty(&Transaction->Marks)) {
        PLIST_ENTRY Entry = Keep ? Transaction->Marks.Flink : Transaction->Marks.Blink;
        CmpSettle(CONTAINING_RECORD(Entry, CM_MARK, Entry), Keep);
    }
    CmpDereferenceTransaction(Transaction);
}

/* ---- Joining ----------------------------------------------------------------------------------------------------- */

VOID CmpReferenceTransaction(PCM_TRANSACTION Transaction)
{
    Transaction->References++;
}

VOID CmpDereferenceTransaction(PCM_TRANSACTION Transaction)
{
    if (--Transaction->References)
        return;
    ObfDereferenceObject(Transaction->Object);
    ExpFree(Transaction);
}

BOOLEAN CmpIsActive(PCM_TRANSACTION Transaction)
{
    return Transaction->Active;
}

PVOID CmpTransactionObject(PCM_TRANSACTION Transaction)
{
    return Transaction->Object;
}

static NTSTATUS CmpJoin(PKTRANSACTION Object, PCM_TRANSACTION *Result)
{
    for (PLIST_ENTRY Entry = CmpTransactions.Flink; Entry != &CmpTransactions; Entry = Entry->Flink) {
        *Result = CONTAINING_RECORD(Entry, CM_TRANSACTION, Entry);
        if ((*Result)->Object != Object)
            continue;
        CmpReferenceTransaction(*Result);
        return STATUS_SUCCESS;
    }
    PCM_TRANSACTION Transaction = ExpAllocate(sizeof(*Transaction), CM_TAG);
    RtlZeroMemory(Transaction, sizeof(*Transaction));
    Transaction->Participant.End = CmpEndTransaction;
    NTSTATUS Status = TmpJoin(Object, &Transaction->Participant);
    if (!NT_SUCCESS(Status)) {
        ExpFree(Transaction);
        return Status;
    }
    Transaction->Object = Object;
    ObfReferenceObject(Object);
    Transaction->Active = TRUE;
    Transaction->References = 2; /* the participant's and the caller's */
    InitializeListHead(&Transaction->Marks);
    InsertTailList(&CmpTransactions, &Transaction->Entry);
    *Result = Transaction;
    return STATUS_SUCCESS;
}

NTSTATUS CmpEnlist(HANDLE Handle, PCM_TRANSACTION *Result)
{
    PVOID Object;
    NTSTATUS Status =
        ObReferenceObjectByHandle(Handle, TRANSACTION_ENLIST, TmpTransactionType, ExGetPreviousMode(), &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CmpJoin(Object, Result);
    ObfDereferenceObject(Object);
    return Status;
}

NTSTATUS CmpOwn(PCM_KEY Key, PCM_TRANSACTION Transaction)
{
    if (!Key->Owner || Key->Owner == Transaction)
        return STATUS_SUCCESS;
    if (Transaction)
        return STATUS_TRANSACTIONAL_CONFLICT;
    TmpRollback(Key->Owner->Object, FALSE);
    return STATUS_SUCCESS;
}
