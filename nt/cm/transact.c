/*
 * The registry's part in transactions: whose marks are seen by whom, and what becomes of them.
 *
 * One transaction at a time may change a key. A change from outside wins against one that is not committed: the transaction is
 * rolled back.
 */
#include "nt.h"
#include "cm/cmp.h"

typedef struct _CM_TRANSACTION {
    PVOID Object; /* KTRANSACTION */
    ULONG References;
    BOOLEAN Active;
    LIST_ENTRY Marks; /* in the order of the changes */
} CM_TRANSACTION, *PCM_TRANSACTION;

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

/* ---- The end --------------------------------------------------------------------------------------------------------- */

static PCM_KEY CmpParentOf(PCM_MARK Mark)
{
    return Mark->IsValue ? CmpMarkedValue(Mark)->Key : CmpMarkedKey(Mark)->Parent;
}

/* What it has made is there for all (or goes), what it has taken away goes (or is there again). Telling who watches comes last
 * for each: it is a delivery point. */
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

/* A key comes before what is below it, so undoing goes backward. */
static VOID CmpEndTransaction(PCM_TRANSACTION Transaction, BOOLEAN Keep)
{
    Transaction->Active = FALSE;
    while (!IsListEmpty(&Transaction->Marks)) {
        PLIST_ENTRY Entry = Keep ? Transaction->Marks.Flink : Transaction->Marks.Blink;
        CmpSettle(CONTAINING_RECORD(Entry, CM_MARK, Entry), Keep);
    }
}

/* ---- Joining ------------------------------------------------------------------------------------------------------------ */

VOID CmpReferenceTransaction(PCM_TRANSACTION Transaction)
{
    Transaction->References++;
}

VOID CmpDereferenceTransaction(PCM_TRANSACTION Transaction)
{
    if (--Transaction->References)
        return;
    if (Transaction->Active)
        CmpEndTransaction(Transaction, FALSE);
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

NTSTATUS CmpEnlist(HANDLE Handle, PCM_TRANSACTION *Result)
{
    return STATUS_NOT_IMPLEMENTED;
}

NTSTATUS CmpOwn(PCM_KEY Key, PCM_TRANSACTION Transaction)
{
    if (!Key->Owner || Key->Owner == Transaction)
        return STATUS_SUCCESS;
    if (Transaction)
        return STATUS_TRANSACTIONAL_CONFLICT;
    CmpEndTransaction(Key->Owner, FALSE);
    return STATUS_SUCCESS;
}
