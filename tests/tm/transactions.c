/*
 * Transactions: the commit protocol with its phases, who may roll back when, one-phase and superior enlistments, queues
 * of notifications, time-outs, the last handle; keys in a transaction.
 */
#include "../cm/key.h"
#include <ktmtypes.h>

typedef struct _KENLISTMENT *PKENLISTMENT;
typedef struct _KRESOURCEMANAGER *PKRESOURCEMANAGER;
typedef NTSTATUS(NTAPI *RM_ROUTINE)(PKENLISTMENT, PVOID, PVOID, ULONG, PLARGE_INTEGER, ULONG, PVOID);
NTSYSAPI NTSTATUS NTAPI ZwCreateTransactionManager(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, PUNICODE_STRING, ULONG,
                                                   ULONG);
NTSYSAPI NTSTATUS NTAPI ZwCreateResourceManager(PHANDLE, ACCESS_MASK, HANDLE, LPGUID, POBJECT_ATTRIBUTES, ULONG,
                                                PUNICODE_STRING);
NTSYSAPI NTSTATUS NTAPI ZwRecoverResourceManager(HANDLE);
NTSYSAPI NTSTATUS NTAPI ZwCreateTransaction(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, LPGUID, HANDLE, ULONG, ULONG,
                                            ULONG, PLARGE_INTEGER, PUNICODE_STRING);
NTSYSAPI NTSTATUS NTAPI ZwOpenTransaction(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, LPGUID, HANDLE);
NTSYSAPI NTSTATUS NTAPI ZwCommitTransaction(HANDLE, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI ZwRollbackTransaction(HANDLE, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI ZwCreateEnlistment(PHANDLE, ACCESS_MASK, HANDLE, HANDLE, POBJECT_ATTRIBUTES, ULONG, ULONG,
                                           PVOID);
NTSYSAPI NTSTATUS NTAPI ZwQueryInformationTransaction(HANDLE, TRANSACTION_INFORMATION_CLASS, PVOID, ULONG, PULONG);
NTSYSAPI NTSTATUS NTAPI ZwGetNotificationResourceManager(HANDLE, PTRANSACTION_NOTIFICATION, ULONG, PLARGE_INTEGER,
                                                         PULONG, ULONG, ULONG_PTR);
NTSYSAPI NTSTATUS NTAPI ZwPrepareEnlistment(HANDLE, PLARGE_INTEGER);
NTSYSAPI NTSTATUS NTAPI ZwCommitEnlistment(HANDLE, PLARGE_INTEGER);
NTSYSAPI NTSTATUS NTAPI ZwPrepareComplete(HANDLE, PLARGE_INTEGER);
NTSYSAPI NTSTATUS NTAPI ZwCommitComplete(HANDLE, PLARGE_INTEGER);
NTSYSAPI NTSTATUS NTAPI ZwRollbackComplete(HANDLE, PLARGE_INTEGER);
NTSYSAPI NTSTATUS NTAPI ZwCreateKeyTransacted(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG, PUNICODE_STRING, ULONG,
                                              HANDLE, PULONG);
NTSYSAPI NTSTATUS NTAPI ZwOpenKeyTransacted(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, HANDLE);
NTKERNELAPI NTSTATUS NTAPI TmEnableCallbacks(PKRESOURCEMANAGER, RM_ROUTINE, PVOID);
NTKERNELAPI NTSTATUS NTAPI TmPrePrepareComplete(PKENLISTMENT, PLARGE_INTEGER);
NTKERNELAPI NTSTATUS NTAPI TmPrepareComplete(PKENLISTMENT, PLARGE_INTEGER);
NTKERNELAPI NTSTATUS NTAPI TmCommitComplete(PKENLISTMENT, PLARGE_INTEGER);
NTKERNELAPI NTSTATUS NTAPI TmRollbackComplete(PKENLISTMENT, PLARGE_INTEGER);
NTKERNELAPI NTSTATUS NTAPI TmRollbackEnlistment(PKENLISTMENT, PLARGE_INTEGER);
NTKERNELAPI NTSTATUS NTAPI TmReadOnlyEnlistment(PKENLISTMENT, PLARGE_INTEGER);
NTKERNELAPI NTSTATUS NTAPI TmSinglePhaseReject(PKENLISTMENT, PLARGE_INTEGER);
NTKERNELAPI POBJECT_TYPE NTAPI ObGetObjectType(PVOID);

#define USUAL                                                                                                          \
    (TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |                          \
     TRANSACTION_NOTIFY_ROLLBACK)

static HANDLE Tm, Rm, QueueRm;
static ULONG Wrong;
static CHAR Log[32];
static ULONG Logged;
static ULONG RefuseAt, ReadOnlyAt; /* notifications at which the enlistment with key 'b' does so */

static OBJECT_ATTRIBUTES *Kernel(VOID)
{
    static OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    return &Attributes;
}

static NTSTATUS NTAPI Notified(PKENLISTMENT Enlistment, PVOID RmKey, PVOID Key, ULONG Notification,
                               PLARGE_INTEGER Clock, ULONG Bytes, PVOID Argument)
{
    CHAR Who = (CHAR)(ULONG_PTR)Key;
    Wrong += KeGetCurrentIrql() != PASSIVE_LEVEL || RmKey != &Rm || Clock->QuadPart <= 0;
    if (Logged + 2 < sizeof(Log)) {
        Log[Logged++] = Who;
        Log[Logged++] = Notification == TRANSACTION_NOTIFY_PREPREPARE            ? '1'
                        : Notification == TRANSACTION_NOTIFY_PREPARE             ? '2'
                        : Notification == TRANSACTION_NOTIFY_COMMIT              ? 'C'
                        : Notification == TRANSACTION_NOTIFY_ROLLBACK            ? 'R'
                        : Notification == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT ? 'S'
                                                                                 : '?';
        Log[Logged] = 0;
    }
    if (Who == 'b' && Notification == RefuseAt)
        return TmRollbackEnlistment(Enlistment, Clock);
    if (Who == 'b' && Notification == ReadOnlyAt)
        return TmReadOnlyEnlistment(Enlistment, Clock);
    switch (Notification) {
    case TRANSACTION_NOTIFY_PREPREPARE:
        Wrong += TmPrepareComplete(Enlistment, NULL) != STATUS_TRANSACTION_NOT_REQUESTED;
        return TmPrePrepareComplete(Enlistment, Clock);
    case TRANSACTION_NOTIFY_PREPARE:
        return TmPrepareComplete(Enlistment, Clock);
    case TRANSACTION_NOTIFY_COMMIT:
        return TmCommitComplete(Enlistment, Clock);
    case TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT:
        return Who == 'r' ? TmSinglePhaseReject(Enlistment, Clock) : TmCommitComplete(Enlistment, Clock);
    default:
        return TmRollbackComplete(Enlistment, Clock);
    }
}

static HANDLE Begin(VOID)
{
    HANDLE Transaction = NULL;
    OK(ZwCreateTransaction(&Transaction, TRANSACTION_ALL_ACCESS, Kernel(), NULL, NULL, 0, 0, 0, NULL, NULL));
    Logged = 0;
    Log[0] = 0;
    return Transaction;
}

static HANDLE Enlist(HANDLE Manager, HANDLE Transaction, CHAR Key, ULONG Options, ULONG Mask)
{
    HANDLE Enlistment = NULL;
    OK(ZwCreateEnlistment(&Enlistment, ENLISTMENT_ALL_ACCESS, Manager, Transaction, Kernel(), Options, Mask,
                          (PVOID)(ULONG_PTR)Key));
    return Enlistment;
}

static ULONG Outcome(HANDLE Transaction)
{
    TRANSACTION_BASIC_INFORMATION Basic;
    ULONG Length;
    OK(ZwQueryInformationTransaction(Transaction, TransactionBasicInformation, &Basic, sizeof(Basic), &Length));
    return Basic.Outcome;
}

static BOOLEAN Said(PCSTR Want)
{
    if (strcmp(Log, Want) == 0)
        return TRUE;
    DbgPrint("  heard %s, not %s\n", Log, Want);
    return FALSE;
}

static VOID managers_are_made(VOID)
{
    GUID One = {1}, Two = {2};
    PVOID Object;
    HANDLE None;
    STATUS(ZwCreateTransactionManager(&None, TRANSACTIONMANAGER_ALL_ACCESS, Kernel(), NULL, 0, 0),
           STATUS_INVALID_PARAMETER);
    OK(ZwCreateTransactionManager(&Tm, TRANSACTIONMANAGER_ALL_ACCESS, Kernel(), NULL, 1, 0));
    STATUS(ZwCreateResourceManager(&None, RESOURCEMANAGER_ALL_ACCESS, Tm, &One, Kernel(), 0, NULL), STATUS_TM_VOLATILE);
    OK(ZwCreateResourceManager(&Rm, RESOURCEMANAGER_ALL_ACCESS, Tm, &One, Kernel(), 1, NULL));
    OK(ZwCreateResourceManager(&QueueRm, RESOURCEMANAGER_ALL_ACCESS, Tm, &Two, Kernel(), 1, NULL));
    OK(ZwRecoverResourceManager(Rm));
    OK(ObReferenceObjectByHandle(Rm, 0, NULL, KernelMode, &Object, NULL));
    STATUS(TmEnableCallbacks(Object, NULL, &Rm), STATUS_UNSUCCESSFUL);
    OK(TmEnableCallbacks(Object, Notified, &Rm));
    ObDereferenceObject(Object);
    STATUS(ZwCommitTransaction(Rm, TRUE), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ZwCreateEnlistment(&None, ENLISTMENT_ALL_ACCESS, Tm, Rm, Kernel(), 0, USUAL, NULL),
           STATUS_OBJECT_TYPE_MISMATCH);
}

static VOID a_commit_goes_through_its_phases(VOID)
{
    HANDLE Transaction = Begin(), A = Enlist(Rm, Transaction, 'a', 0, USUAL),
           B = Enlist(Rm, Transaction, 'b', 0, USUAL), None;
    PVOID Object;
    OK(ObReferenceObjectByHandle(Transaction, 0, NULL, KernelMode, &Object, NULL));
    CHECK(ObGetObjectType(Object) == *(POBJECT_TYPE *)TmTransactionObjectType);
    ObDereferenceObject(Object);
    CHECK(Outcome(Transaction) == TransactionOutcomeUndetermined);
    OK(ZwCommitTransaction(Transaction, TRUE));
    CHECK(Said("a1b1a2b2aCbC"));
    CHECK(Outcome(Transaction) == TransactionOutcomeCommitted);
    STATUS(ZwCommitTransaction(Transaction, TRUE), STATUS_TRANSACTION_ALREADY_COMMITTED);
    STATUS(ZwRollbackTransaction(Transaction, TRUE), STATUS_TRANSACTION_ALREADY_COMMITTED);
    STATUS(ZwCreateEnlistment(&None, ENLISTMENT_ALL_ACCESS, Rm, Transaction, Kernel(), 0, USUAL, NULL),
           STATUS_TRANSACTION_NOT_ACTIVE);
    OK(ZwClose(A));
    OK(ZwClose(B));
    OK(ZwClose(Transaction));
}

static VOID a_rollback_is_told_to_all(VOID)
{
    HANDLE Transaction = Begin(), A = Enlist(Rm, Transaction, 'a', 0, USUAL);
    OK(ZwRollbackTransaction(Transaction, TRUE));
    CHECK(Said("aR") && Outcome(Transaction) == TransactionOutcomeAborted);
    STATUS(ZwCommitTransaction(Transaction, TRUE), STATUS_TRANSACTION_ALREADY_ABORTED);
    OK(ZwClose(A));
    OK(ZwClose(Transaction));
}

static VOID who_cannot_prepare_rolls_back(VOID)
{
    HANDLE Transaction = Begin(), A = Enlist(Rm, Transaction, 'a', 0, USUAL),
           B = Enlist(Rm, Transaction, 'b', 0, USUAL);
    RefuseAt = TRANSACTION_NOTIFY_PREPARE;
    STATUS(ZwCommitTransaction(Transaction, TRUE), STATUS_TRANSACTION_ABORTED);
    RefuseAt = 0;
    CHECK(Said("a1b1a2b2aRbR") && Outcome(Transaction) == TransactionOutcomeAborted);
    OK(ZwClose(A));
    OK(ZwClose(B));
    OK(ZwClose(Transaction));
}

static VOID who_only_read_hears_no_more(VOID)
{
    HANDLE Transaction = Begin(), A = Enlist(Rm, Transaction, 'a', 0, USUAL),
           B = Enlist(Rm, Transaction, 'b', 0, USUAL);
    ReadOnlyAt = TRANSACTION_NOTIFY_PREPARE;
    OK(ZwCommitTransaction(Transaction, TRUE));
    ReadOnlyAt = 0;
    CHECK(Said("a1b1a2b2aC"));
    OK(ZwClose(A));
    OK(ZwClose(B));
    OK(ZwClose(Transaction));
}

static VOID one_enlistment_commits_in_one_phase(VOID)
{
    HANDLE Transaction = Begin(), A = Enlist(Rm, Transaction, 'a', 0, USUAL | TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT);
    OK(ZwCommitTransaction(Transaction, TRUE));
    CHECK(Said("aS"));
    OK(ZwClose(A));
    OK(ZwClose(Transaction));
    Transaction = Begin();
    A = Enlist(Rm, Transaction, 'r', 0, USUAL | TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT);
    OK(ZwCommitTransaction(Transaction, TRUE));
    CHECK(Said("rSr1r2rC"));
    OK(ZwClose(A));
    OK(ZwClose(Transaction));
}

static struct {
    TRANSACTION_NOTIFICATION Fixed;
    UCHAR Room[64];
} Next;

static ULONG Take(VOID)
{
    LARGE_INTEGER Now = {0};
    ULONG Length;
    NTSTATUS Status = ZwGetNotificationResourceManager(QueueRm, &Next.Fixed, sizeof(Next), &Now, &Length, 0, 0);
    return Status == STATUS_SUCCESS ? Next.Fixed.TransactionNotification : Status == STATUS_TIMEOUT ? 0 : ~0u;
}

static VOID a_queue_is_read_and_answered_later(VOID)
{
    HANDLE Transaction = Begin();
    HANDLE A = Enlist(QueueRm, Transaction, 'q', 0,
                      TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK);
    CHECK(Take() == 0);
    STATUS(ZwCommitTransaction(Transaction, FALSE), STATUS_PENDING);
    CHECK(Take() == TRANSACTION_NOTIFY_PREPARE && Next.Fixed.TransactionKey == (PVOID)(ULONG_PTR)'q');
    STATUS(ZwCommitComplete(A, NULL), STATUS_TRANSACTION_NOT_REQUESTED);
    OK(ZwPrepareComplete(A, NULL));
    CHECK(Take() == TRANSACTION_NOTIFY_COMMIT);
    OK(ZwCommitComplete(A, NULL));
    CHECK(Take() == 0);
    OK(ZwWaitForSingleObject(Transaction, FALSE, NULL));
    OK(ZwClose(A));
    OK(ZwClose(Transaction));
}

static VOID a_superior_gives_the_orders(VOID)
{
    HANDLE Transaction = Begin();
    HANDLE A = Enlist(Rm, Transaction, 'a', 0, USUAL);
    HANDLE Superior = Enlist(QueueRm, Transaction, 's', 1,
                             TRANSACTION_NOTIFY_COMMIT_REQUEST | TRANSACTION_NOTIFY_PREPARE_COMPLETE |
                                 TRANSACTION_NOTIFY_COMMIT_COMPLETE | TRANSACTION_NOTIFY_ROLLBACK_COMPLETE);
    STATUS(ZwPrepareEnlistment(A, NULL), STATUS_ENLISTMENT_NOT_SUPERIOR);
    STATUS(ZwCommitEnlistment(Superior, NULL), STATUS_TRANSACTION_REQUEST_NOT_VALID);
    STATUS(ZwCommitTransaction(Transaction, FALSE), STATUS_PENDING);
    CHECK(Take() == TRANSACTION_NOTIFY_COMMIT_REQUEST && Said(""));
    OK(ZwPrepareEnlistment(Superior, NULL));
    CHECK(Take() == TRANSACTION_NOTIFY_PREPARE_COMPLETE && Said("a2"));
    OK(ZwCommitEnlistment(Superior, NULL));
    CHECK(Take() == TRANSACTION_NOTIFY_COMMIT_COMPLETE && Said("a2aC"));
    CHECK(Outcome(Transaction) == TransactionOutcomeCommitted);
    OK(ZwClose(A));
    OK(ZwClose(Superior));
    OK(ZwClose(Transaction));
}

static VOID time_and_the_last_handle_end_it(VOID)
{
    LARGE_INTEGER Second = {.QuadPart = -10000000};
    TRANSACTION_BASIC_INFORMATION Basic;
    ULONG Length;
    HANDLE Transaction, A, Again;
    OK(ZwCreateTransaction(&Transaction, TRANSACTION_ALL_ACCESS, Kernel(), NULL, NULL, 0, 0, 0, &Second, NULL));
    OK(ZwWaitForSingleObject(Transaction, FALSE, NULL));
    CHECK(Outcome(Transaction) == TransactionOutcomeAborted);
    OK(ZwClose(Transaction));
    Transaction = Begin();
    A = Enlist(Rm, Transaction, 'a', 0, USUAL);
    OK(ZwQueryInformationTransaction(Transaction, TransactionBasicInformation, &Basic, sizeof(Basic), &Length));
    OK(ZwOpenTransaction(&Again, TRANSACTION_ALL_ACCESS, Kernel(), &Basic.TransactionId, NULL));
    OK(ZwClose(Again));
    CHECK(Said(""));
    OK(ZwClose(Transaction));
    CHECK(Said("aR"));
    OK(ZwClose(A));
}

static NTSTATUS KeyIn(HANDLE Root, PCWSTR Text, HANDLE Transaction, BOOLEAN Create, PHANDLE Key)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Root, NULL);
    return Create ? ZwCreateKeyTransacted(Key, KEY_ALL_ACCESS, &Attributes, 0, NULL, 0, Transaction, NULL)
                  : ZwOpenKeyTransacted(Key, KEY_ALL_ACCESS, &Attributes, Transaction);
}

static ULONG SubKeys(HANDLE Key)
{
    UCHAR Room[64];
    ULONG Length;
    OK(ZwQueryKey(Key, KeyFullInformation, Room, sizeof(Room), &Length));
    return ((PKEY_FULL_INFORMATION)Room)->SubKeys * 100 + ((PKEY_FULL_INFORMATION)Room)->Values;
}

static HANDLE Base;

static VOID Change(HANDLE Transaction)
{
    HANDLE In, Old, New;
    ULONG Two = 2, Three = 3, Number = 0;
    OK(KeyIn(Base, L"", Transaction, FALSE, &In));
    OK(KeyIn(In, L"new", Transaction, TRUE, &New));
    OK(KeySet(New, L"deep", REG_DWORD, &Three, 4));
    OK(KeyIn(In, L"old", Transaction, FALSE, &Old));
    OK(ZwDeleteKey(Old));
    OK(ZwClose(Old));
    OK(KeySet(In, L"changed", REG_DWORD, &Two, 4));
    OK(KeySet(In, L"changed", REG_DWORD, &Three, 4));
    OK(KeySet(In, L"added", REG_DWORD, &Two, 4));
    OK(KeyDeleteValue(In, L"removed"));
    /* inside */
    OK(KeyNumber(In, L"changed", &Number));
    CHECK(Number == 3 && SubKeys(In) == 102);
    STATUS(KeyNumber(In, L"removed", &Number), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(KeyIn(In, L"old", Transaction, FALSE, &Old), STATUS_OBJECT_NAME_NOT_FOUND);
    /* outside */
    OK(KeyNumber(Base, L"changed", &Number));
    CHECK(Number == 1 && SubKeys(Base) == 102);
    OK(KeyNumber(Base, L"removed", &Number));
    STATUS(KeyNumber(Base, L"added", &Number), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(KeyOpen(Base, L"new", 0, &Old), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(KeyOpen(Base, L"old", 0, &Old));
    OK(ZwClose(Old));
    OK(ZwClose(New));
    OK(ZwClose(In));
}

/* docs: ZwSetInformationEnlistment: kept with the enlistment, as it is. */
static VOID an_enlistment_keeps_what_its_owner_needs(VOID)
{
    HANDLE Transaction = Begin(), Enlistment;
    ULONG Kept[3] = {1, 2, 3}, Got[3] = {0}, Bytes = 0;
    OK(ZwCreateEnlistment(&Enlistment, ENLISTMENT_ALL_ACCESS, QueueRm, Transaction, Kernel(), 0, USUAL, NULL));
    OK(ZwSetInformationEnlistment(Enlistment, EnlistmentRecoveryInformation, Kept, sizeof(Kept)));
    STATUS(ZwSetInformationEnlistment(Enlistment, EnlistmentBasicInformation, Kept, sizeof(Kept)),
           STATUS_INVALID_INFO_CLASS);
    STATUS(ZwQueryInformationEnlistment(Enlistment, EnlistmentRecoveryInformation, Got, 4, &Bytes),
           STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes == sizeof(Kept));
    OK(ZwQueryInformationEnlistment(Enlistment, EnlistmentRecoveryInformation, Got, sizeof(Got), &Bytes));
    CHECK(!memcmp(Got, Kept, sizeof(Got)));
    OK(ZwReadOnlyEnlistment(Enlistment, NULL));
    OK(ZwClose(Enlistment));
    OK(ZwRollbackTransaction(Transaction, TRUE));
    OK(ZwClose(Transaction));
}

static ULONG Count(HANDLE Root, KTMOBJECT_TYPE Type, ULONG AtOnce)
{
    UCHAR Buffer[sizeof(KTMOBJECT_CURSOR) + 8 * sizeof(GUID)] __attribute__((aligned(8))) = {0};
    PKTMOBJECT_CURSOR Cursor = (PVOID)Buffer;
    ULONG Found = 0, Bytes;
    GUID Last = {0};
    while (NT_SUCCESS(ZwEnumerateTransactionObject(
        Root, Type, Cursor, FIELD_OFFSET(KTMOBJECT_CURSOR, ObjectIds) + AtOnce * sizeof(GUID), &Bytes))) {
        CHECK(memcmp(&Cursor->ObjectIds[0], &Last, sizeof(Last)) > 0); /* each once, in order */
        Last = Cursor->ObjectIds[Cursor->ObjectIdCount - 1];
        CHECK(Bytes == FIELD_OFFSET(KTMOBJECT_CURSOR, ObjectIds) + Cursor->ObjectIdCount * sizeof(GUID));
        Found += Cursor->ObjectIdCount;
    }
    return Found;
}

static VOID all_objects_are_enumerated(VOID)
{
    ULONG Before = Count(NULL, KTMOBJECT_TRANSACTION, 8);
    HANDLE Transaction[3], Enlistment[2];
    GUID Id = {1};
    UNICODE_STRING Log = RTL_CONSTANT_STRING(L"\\SystemRoot\\log");
    for (ULONG i = 0; i < 3; i++)
        Transaction[i] = Begin();
    for (ULONG i = 0; i < 2; i++)
        OK(ZwCreateEnlistment(&Enlistment[i], ENLISTMENT_ALL_ACCESS, QueueRm, Transaction[i], Kernel(), 0, USUAL,
                              NULL));
    CHECK(Count(NULL, KTMOBJECT_TRANSACTION, 2) == Before + 3);
    CHECK(Count(NULL, KTMOBJECT_TRANSACTION_MANAGER, 1) == 1);
    CHECK(Count(Tm, KTMOBJECT_RESOURCE_MANAGER, 1) == 2);
    CHECK(Count(QueueRm, KTMOBJECT_ENLISTMENT, 1) == 2);
    STATUS(ZwEnumerateTransactionObject(NULL, KTMOBJECT_INVALID, NULL, 100, NULL), STATUS_INVALID_PARAMETER);
    STATUS(TmRenameTransactionManager(&Log, &Id), STATUS_TRANSACTIONMANAGER_NOT_FOUND);
    for (ULONG i = 0; i < 2; i++) {
        OK(ZwReadOnlyEnlistment(Enlistment[i], NULL));
        OK(ZwClose(Enlistment[i]));
    }
    for (ULONG i = 0; i < 3; i++) {
        OK(ZwRollbackTransaction(Transaction[i], TRUE));
        OK(ZwClose(Transaction[i]));
    }
    CHECK(Count(NULL, KTMOBJECT_TRANSACTION, 8) == Before);
}

static VOID keys_change_when_it_commits(VOID)
{
    HANDLE Key, Transaction, Late;
    ULONG One = 1, Number = 0;
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Transacted", 0, NULL, &Base));
    OK(KeyCreate(Base, L"old", 0, NULL, &Key));
    OK(ZwClose(Key));
    OK(KeySet(Base, L"changed", REG_DWORD, &One, 4));
    OK(KeySet(Base, L"removed", REG_DWORD, &One, 4));
    Transaction = Begin();
    Change(Transaction);
    OK(ZwRollbackTransaction(Transaction, TRUE));
    OK(KeyNumber(Base, L"changed", &Number));
    CHECK(Number == 1 && SubKeys(Base) == 102);
    STATUS(KeyIn(Base, L"old", Transaction, FALSE, &Late), STATUS_TRANSACTION_NOT_ACTIVE);
    OK(ZwClose(Transaction));
    Transaction = Begin();
    Change(Transaction);
    OK(ZwCommitTransaction(Transaction, TRUE));
    OK(ZwClose(Transaction));
    OK(KeyNumber(Base, L"changed", &Number));
    CHECK(Number == 3 && SubKeys(Base) == 102);
    STATUS(KeyOpen(Base, L"old", 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(KeyNumber(Base, L"removed", &Number), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(KeyOpen(Base, L"new", 0, &Key));
    OK(KeyNumber(Key, L"deep", &Number));
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
}

static VOID two_transactions_do_not_share_a_key(VOID)
{
    HANDLE One = Begin(), Two = Begin(), InOne, InTwo;
    ULONG Number = 5;
    OK(KeyIn(Base, L"", One, FALSE, &InOne));
    OK(KeyIn(Base, L"", Two, FALSE, &InTwo));
    OK(KeySet(InOne, L"x", REG_DWORD, &Number, 4));
    STATUS(KeySet(InTwo, L"x", REG_DWORD, &Number, 4), STATUS_TRANSACTIONAL_CONFLICT);
    OK(KeySet(Base, L"y", REG_DWORD, &Number, 4)); /* from outside: it wins */
    CHECK(Outcome(One) == TransactionOutcomeAborted);
    STATUS(KeySet(InOne, L"x", REG_DWORD, &Number, 4), STATUS_TRANSACTION_NOT_ACTIVE);
    OK(KeySet(InTwo, L"x", REG_DWORD, &Number, 4));
    OK(ZwClose(Two)); /* and with the last handle what it did is undone */
    STATUS(KeyNumber(Base, L"x", &Number), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwClose(One));
    OK(ZwClose(InOne));
    OK(ZwClose(InTwo));
    OK(ZwDeleteKey(Base));
    OK(ZwClose(Base));
    OK(ZwClose(Rm));
    OK(ZwClose(QueueRm));
    OK(ZwClose(Tm));
    CHECK(Wrong == 0);
}

TEST_MAIN(managers_are_made, a_commit_goes_through_its_phases, a_rollback_is_told_to_all, who_cannot_prepare_rolls_back,
          who_only_read_hears_no_more, one_enlistment_commits_in_one_phase, a_queue_is_read_and_answered_later,
          a_superior_gives_the_orders, time_and_the_last_handle_end_it, an_enlistment_keeps_what_its_owner_needs,
          all_objects_are_enumerated, keys_change_when_it_commits, two_transactions_do_not_share_a_key)
