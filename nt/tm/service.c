/*
 * The services on the transaction manager's objects, each by pointer (Tm...) and by handle (Nt...), and what can be
 * asked of them.
 */
#include "nt.h"
#include "tm/tmp.h"

/* By handle: reference, do, dereference. */
#define TMP_BY_HANDLE(Handle, Access, Type, Name, Expression)                                                          \
    do {                                                                                                               \
        PVOID Name;                                                                                                    \
        NTSTATUS Status = ObReferenceObjectByHandle(Handle, Access, Type, ExGetPreviousMode(), &Name, NULL);           \
        if (!NT_SUCCESS(Status))                                                                                       \
            return Status;                                                                                             \
        Status = Expression;                                                                                           \
        ObfDereferenceObject(Name);                                                                                    \
        return Status;                                                                                                 \
    } while (0)

static NTSTATUS TmpAt(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock, NTSTATUS Status)
{
    if (Clock && Clock->QuadPart > Enlistment->Rm->Tm->Clock.QuadPart)
        Enlistment->Rm->Tm->Clock = *Clock;
    return Status;
}

/* ---- Enlistments: Tm and Nt forms of each answer and order ------------------------------------------------------- */

#define TMP_ENLISTMENT(Name, Access, Expression)                                                                       \
    NTSTATUS NTAPI Tm##Name(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock)                                             \
    {                                                                                                                  \
        return TmpAt(Enlistment, Clock, Expression);                                                                   \
    }                                                                                                                  \
    NTSTATUS NTAPI Nt##Name(HANDLE Handle, PLARGE_INTEGER Clock)                                                       \
    {                                                                                                                  \
        TMP_BY_HANDLE(Handle, Access, TmpEnlistmentType, Enlistment, Tm##Name(Enlistment, Clock));                     \
    }

TMP_ENLISTMENT(PrePrepareComplete, ENLISTMENT_SUBORDINATE_RIGHTS, TmpAnswer(Enlistment, TRANSACTION_NOTIFY_PREPREPARE))
TMP_ENLISTMENT(PrepareComplete, ENLISTMENT_SUBORDINATE_RIGHTS, TmpAnswer(Enlistment, TRANSACTION_NOTIFY_PREPARE))
TMP_ENLISTMENT(CommitComplete, ENLISTMENT_SUBORDINATE_RIGHTS, TmpAnswer(Enlistment, TRANSACTION_NOTIFY_COMMIT))
TMP_ENLISTMENT(RollbackComplete, ENLISTMENT_SUBORDINATE_RIGHTS, TmpAnswer(Enlistment, TRANSACTION_NOTIFY_ROLLBACK))
TMP_ENLISTMENT(ReadOnlyEnlistment, ENLISTMENT_SUBORDINATE_RIGHTS, TmpReadOnly(Enlistment))
TMP_ENLISTMENT(SinglePhaseReject, ENLISTMENT_SUBORDINATE_RIGHTS, TmpReject(Enlistment))
TMP_ENLISTMENT(RollbackEnlistment, ENLISTMENT_SUBORDINATE_RIGHTS, TmpRollbackBy(Enlistment))
TMP_ENLISTMENT(PrePrepareEnlistment, ENLISTMENT_SUPERIOR_RIGHTS, TmpOrder(Enlistment, TmPrePreparing))
TMP_ENLISTMENT(PrepareEnlistment, ENLISTMENT_SUPERIOR_RIGHTS, TmpOrder(Enlistment, TmPreparing))
TMP_ENLISTMENT(CommitEnlistment, ENLISTMENT_SUPERIOR_RIGHTS, TmpOrder(Enlistment, TmCommitting))

/* docs: TmReferenceEnlistmentKey, TmDereferenceEnlistmentKey: the key's own count; the last reference is told. */
NTSTATUS NTAPI TmReferenceEnlistmentKey(PKENLISTMENT Enlistment, PVOID *Key)
{
    Enlistment->KeyReferences++;
    *Key = Enlistment->Key;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI TmDereferenceEnlistmentKey(PKENLISTMENT Enlistment, PBOOLEAN Last)
{
    BOOLEAN Gone = Enlistment->KeyReferences && --Enlistment->KeyReferences == 0;
    if (Last)
        *Last = Gone;
    return STATUS_SUCCESS;
}

/* docs: TmRequestOutcomeEnlistment: the outcome comes as a notification, if it is decided. */
NTSTATUS NTAPI TmRequestOutcomeEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER Clock)
{
    TM_PHASE Phase = Enlistment->Transaction->Phase;
    if (Phase >= TmRollingBack)
        TmpTell(Enlistment, TRANSACTION_NOTIFY_ROLLBACK);
    else if (Phase >= TmCommitting)
        TmpTell(Enlistment, TRANSACTION_NOTIFY_COMMIT);
    return TmpAt(Enlistment, Clock, STATUS_SUCCESS);
}

/* ---- Recovery: volatile managers have nothing to recover --------------------------------------------------------- */

NTSTATUS NTAPI TmRecoverEnlistment(PKENLISTMENT Enlistment, PVOID Key)
{
    Enlistment->Key = Key;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtRecoverEnlistment(HANDLE Handle, PVOID Key)
{
    TMP_BY_HANDLE(Handle, ENLISTMENT_RECOVER, TmpEnlistmentType, Enlistment, TmRecoverEnlistment(Enlistment, Key));
}

NTSTATUS NTAPI TmRecoverResourceManager(PKRESOURCEMANAGER Rm)
{
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtRecoverResourceManager(HANDLE Handle)
{
    TMP_BY_HANDLE(Handle, RESOURCEMANAGER_RECOVER, TmpRmType, Rm, TmRecoverResourceManager(Rm));
}

NTSTATUS NTAPI TmRecoverTransactionManager(PKTM Tm, PLARGE_INTEGER TargetClock)
{
    return TargetClock ? STATUS_TM_VOLATILE : STATUS_SUCCESS;
}

NTSTATUS NTAPI NtRecoverTransactionManager(HANDLE Handle)
{
    TMP_BY_HANDLE(Handle, TRANSACTIONMANAGER_RECOVER, TmpTmType, Tm, TmRecoverTransactionManager(Tm, NULL));
}

/* ---- Resource managers ------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI TmEnableCallbacks(PKRESOURCEMANAGER Rm, PTM_RM_NOTIFICATION Callback, PVOID Key)
{
    if (!Callback)
        return STATUS_UNSUCCESSFUL;
    Rm->Stack = VfCaptureStack();
    Rm->Callback = Callback;
    Rm->Key = Key;
    VfTrack(Rm, sizeof(*Rm), VfCallbackObject, (PVOID)(ULONG_PTR)Callback, Rm->Stack);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtGetNotificationResourceManager(HANDLE Handle, PTRANSACTION_NOTIFICATION Buffer, ULONG Bytes,
                                                PLARGE_INTEGER Timeout, PULONG Returned, ULONG Asynchronous,
                                                ULONG_PTR Context)
{
    if (Asynchronous)
        return STATUS_INVALID_PARAMETER;
    TMP_BY_HANDLE(Handle, RESOURCEMANAGER_GET_NOTIFICATION, TmpRmType, Rm,
                  TmpTake(Rm, Buffer, Bytes, Timeout, Returned));
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

NTSTATUS NTAPI TmCommitTransaction(PKTRANSACTION Transaction, BOOLEAN Wait)
{
    return TmpCommit(Transaction, Wait);
}

NTSTATUS NTAPI NtCommitTransaction(HANDLE Handle, BOOLEAN Wait)
{
    TMP_BY_HANDLE(Handle, TRANSACTION_COMMIT, TmpTransactionType, Transaction, TmpCommit(Transaction, Wait));
}

NTSTATUS NTAPI TmRollbackTransaction(PKTRANSACTION Transaction, BOOLEAN Wait)
{
    return TmpRollback(Transaction, Wait);
}

NTSTATUS NTAPI NtRollbackTransaction(HANDLE Handle, BOOLEAN Wait)
{
    TMP_BY_HANDLE(Handle, TRANSACTION_ROLLBACK, TmpTransactionType, Transaction, TmpRollback(Transaction, Wait));
}

VOID NTAPI TmGetTransactionId(PKTRANSACTION Transaction, GUID *Id)
{
    *Id = Transaction->Id;
}

BOOLEAN NTAPI TmIsTransactionActive(PKTRANSACTION Transaction)
{
    return Transaction->Phase == TmActive;
}

/* ---- Questions
 * --------------------------------------------------------------------------------------------------------------------
 */

static TRANSACTION_OUTCOME TmpOutcome(PKTRANSACTION Transaction)
{
    if (Transaction->Phase >= TmRollingBack)
        return TransactionOutcomeAborted;
    return Transaction->Phase >= TmCommitting ? TransactionOutcomeCommitted : TransactionOutcomeUndetermined;
}

/* Fixed must fit; Text behind it is cut, and its status tells. */
static NTSTATUS TmpReply(PVOID Buffer, ULONG Bytes, PULONG Returned, const VOID *Fixed, ULONG FixedBytes,
                         PUNICODE_STRING Text)
{
    ULONG Need = FixedBytes + (Text ? Text->Length : 0);
    if (Returned)
        *Returned = Need;
    if (Bytes < FixedBytes)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(Buffer, Fixed, FixedBytes);
    if (Text)
        RtlCopyMemory((PUCHAR)Buffer + FixedBytes, Text->Buffer, min(Text->Length, Bytes - FixedBytes));
    return Bytes < Need ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS TmpListEnlistments(PKTRANSACTION Transaction, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PTRANSACTION_ENLISTMENTS_INFORMATION Information = Buffer;
    ULONG Count = 0, Fixed = FIELD_OFFSET(TRANSACTION_ENLISTMENTS_INFORMATION, EnlistmentPair);
    for (PLIST_ENTRY Entry = Transaction->Enlistments.Flink; Entry != &Transaction->Enlistments; Entry = Entry->Flink) {
        PKENLISTMENT Enlistment = CONTAINING_RECORD(Entry, KENLISTMENT, Entry);
        if (Fixed + (Count + 1) * sizeof(TRANSACTION_ENLISTMENT_PAIR) <= Bytes) {
            Information->EnlistmentPair[Count].EnlistmentId = Enlistment->Id;
            Information->EnlistmentPair[Count].ResourceManagerId = Enlistment->Rm->Id;
        }
        Count++;
    }
    ULONG Need = Fixed + Count * sizeof(TRANSACTION_ENLISTMENT_PAIR);
    if (Returned)
        *Returned = Need;
    if (Bytes < Fixed)
        return STATUS_BUFFER_TOO_SMALL;
    Information->NumberOfEnlistments = Count;
    return Bytes < Need ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS TmpQueryTransaction(PKTRANSACTION Transaction, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    TM_PHASE Phase = Transaction->Phase;
    TRANSACTION_BASIC_INFORMATION Basic = {.TransactionId = Transaction->Id,
                                           .State = Phase == TmCommitting || Phase == TmCommitted
                                                        ? TransactionStateCommittedNotify
                                                        : TransactionStateNormal,
                                           .Outcome = TmpOutcome(Transaction)};
    TRANSACTION_PROPERTIES_INFORMATION Properties = {.IsolationLevel = Transaction->IsolationLevel,
                                                     .IsolationFlags = Transaction->IsolationFlags,
                                                     .Outcome = TmpOutcome(Transaction),
                                                     .DescriptionLength = Transaction->Description.Length};
    TRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION Superior = {0};
    Properties.Timeout.QuadPart = Transaction->Timeout;
    switch (Class) {
    case TransactionBasicInformation:
        return TmpReply(Buffer, Bytes, Returned, &Basic, sizeof(Basic), NULL);
    case TransactionPropertiesInformation:
        return TmpReply(Buffer, Bytes, Returned, &Properties,
                        FIELD_OFFSET(TRANSACTION_PROPERTIES_INFORMATION, Description), &Transaction->Description);
    case TransactionEnlistmentInformation:
        return TmpListEnlistments(Transaction, Buffer, Bytes, Returned);
    case TransactionSuperiorEnlistmentInformation:
        if (Transaction->Superior) {
            Superior.SuperiorEnlistmentPair.EnlistmentId = Transaction->Superior->Id;
            Superior.SuperiorEnlistmentPair.ResourceManagerId = Transaction->Superior->Rm->Id;
        }
        return TmpReply(Buffer, Bytes, Returned, &Superior, sizeof(Superior), NULL);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS NTAPI NtQueryInformationTransaction(HANDLE Handle, TRANSACTION_INFORMATION_CLASS Class, PVOID Buffer,
                                             ULONG Bytes, PULONG Returned)
{
    TMP_BY_HANDLE(Handle, TRANSACTION_QUERY_INFORMATION, TmpTransactionType, Transaction,
                  TmpQueryTransaction(Transaction, Class, Buffer, Bytes, Returned));
}

/* docs: ZwSetInformationTransaction: the properties that can be set are the timeout's and isolation's, all reserved but
 * the description. */
static NTSTATUS TmpSetTransaction(PKTRANSACTION Transaction, ULONG Class, PTRANSACTION_PROPERTIES_INFORMATION New,
                                  ULONG Bytes)
{
    ULONG Fixed = FIELD_OFFSET(TRANSACTION_PROPERTIES_INFORMATION, Description);
    if (Class != TransactionPropertiesInformation)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < Fixed || New->DescriptionLength > Bytes - Fixed || New->DescriptionLength > 128)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (New->IsolationLevel || New->IsolationFlags)
        return STATUS_INVALID_PARAMETER;
    if (Transaction->Description.Buffer)
        ExpFree(Transaction->Description.Buffer);
    Transaction->Description = (UNICODE_STRING){(USHORT)New->DescriptionLength, (USHORT)New->DescriptionLength, NULL};
    if (New->DescriptionLength) {
        Transaction->Description.Buffer = ExpAllocate(New->DescriptionLength, 'txmT');
        RtlCopyMemory(Transaction->Description.Buffer, New->Description, New->DescriptionLength);
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtSetInformationTransaction(HANDLE Handle, TRANSACTION_INFORMATION_CLASS Class, PVOID Buffer,
                                           ULONG Bytes)
{
    TMP_BY_HANDLE(Handle, TRANSACTION_SET_INFORMATION, TmpTransactionType, Transaction,
                  TmpSetTransaction(Transaction, Class, Buffer, Bytes));
}

static NTSTATUS TmpQueryEnlistment(PKENLISTMENT Enlistment, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    ENLISTMENT_BASIC_INFORMATION Basic = {.EnlistmentId = Enlistment->Id,
                                          .TransactionId = Enlistment->Transaction->Id,
                                          .ResourceManagerId = Enlistment->Rm->Id};
    if (Class == EnlistmentRecoveryInformation)
        return TmpReply(Buffer, Bytes, Returned, Enlistment->Recovery, Enlistment->RecoveryBytes, NULL);
    if (Class != EnlistmentBasicInformation)
        return STATUS_INVALID_INFO_CLASS;
    return TmpReply(Buffer, Bytes, Returned, &Basic, sizeof(Basic), NULL);
}

/* docs: ZwSetInformationEnlistment: what a resource manager wants to find again; nobody else looks into it. */
static NTSTATUS TmpSetEnlistment(PKENLISTMENT Enlistment, ULONG Class, PVOID Buffer, ULONG Bytes)
{
    if (Class != EnlistmentRecoveryInformation)
        return STATUS_INVALID_INFO_CLASS;
    PVOID Copy = Bytes ? ExpTryAllocate(Bytes, 'rxmT') : NULL;
    if (Bytes && !Copy)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Bytes)
        RtlCopyMemory(Copy, Buffer, Bytes);
    if (Enlistment->Recovery)
        ExpFree(Enlistment->Recovery);
    Enlistment->Recovery = Copy;
    Enlistment->RecoveryBytes = Bytes;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtSetInformationEnlistment(HANDLE Handle, ENLISTMENT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Bytes)
{
    TMP_BY_HANDLE(Handle, ENLISTMENT_SET_INFORMATION, TmpEnlistmentType, Enlistment,
                  TmpSetEnlistment(Enlistment, Class, Buffer, Bytes));
}

NTSTATUS NTAPI NtQueryInformationEnlistment(HANDLE Handle, ENLISTMENT_INFORMATION_CLASS Class, PVOID Buffer,
                                            ULONG Bytes, PULONG Returned)
{
    TMP_BY_HANDLE(Handle, ENLISTMENT_QUERY_INFORMATION, TmpEnlistmentType, Enlistment,
                  TmpQueryEnlistment(Enlistment, Class, Buffer, Bytes, Returned));
}

static NTSTATUS TmpQueryRm(PKRESOURCEMANAGER Rm, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    RESOURCEMANAGER_BASIC_INFORMATION Basic = {.ResourceManagerId = Rm->Id,
                                               .DescriptionLength = Rm->Description.Length};
    if (Class != ResourceManagerBasicInformation)
        return STATUS_INVALID_INFO_CLASS;
    return TmpReply(Buffer, Bytes, Returned, &Basic, FIELD_OFFSET(RESOURCEMANAGER_BASIC_INFORMATION, Description),
                    &Rm->Description);
}

NTSTATUS NTAPI NtQueryInformationResourceManager(HANDLE Handle, RESOURCEMANAGER_INFORMATION_CLASS Class, PVOID Buffer,
                                                 ULONG Bytes, PULONG Returned)
{
    TMP_BY_HANDLE(Handle, RESOURCEMANAGER_QUERY_INFORMATION, TmpRmType, Rm,
                  TmpQueryRm(Rm, Class, Buffer, Bytes, Returned));
}

static NTSTATUS TmpQueryTm(PKTM Tm, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    TRANSACTIONMANAGER_BASIC_INFORMATION Basic = {.TmIdentity = Tm->Id, .VirtualClock = Tm->Clock};
    if (Class != TransactionManagerBasicInformation)
        return STATUS_INVALID_INFO_CLASS;
    return TmpReply(Buffer, Bytes, Returned, &Basic, sizeof(Basic), NULL);
}

NTSTATUS NTAPI NtQueryInformationTransactionManager(HANDLE Handle, TRANSACTIONMANAGER_INFORMATION_CLASS Class,
                                                    PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    TMP_BY_HANDLE(Handle, TRANSACTIONMANAGER_QUERY_INFORMATION, TmpTmType, Tm,
                  TmpQueryTm(Tm, Class, Buffer, Bytes, Returned));
}
