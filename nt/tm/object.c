/*
 * The transaction manager's objects: making, opening, ending.
 *
 * DIFFERS: transaction managers with a log are refused (there is no CLFS): volatile ones are all there is.
 */
#include "nt.h"
#include "tm/tmp.h"

POBJECT_TYPE TmpTmType, TmpRmType, TmpTransactionType, TmpEnlistmentType;
POBJECT_TYPE *TmTransactionManagerObjectType, *TmResourceManagerObjectType, *TmTransactionObjectType,
    *TmEnlistmentObjectType;
LIST_ENTRY TmpManagers = {&TmpManagers, &TmpManagers}, TmpTransactions = {&TmpTransactions, &TmpTransactions};

#define TMP_VOLATILE 1           /* TRANSACTION_MANAGER_VOLATILE, RESOURCE_MANAGER_VOLATILE */
#define TMP_RM_COMMUNICATION 2   /* RESOURCE_MANAGER_COMMUNICATION */
#define TMP_DO_NOT_PROMOTE 1     /* TRANSACTION_DO_NOT_PROMOTE */
#define TMP_SUPERIOR 1           /* ENLISTMENT_SUPERIOR */
#define TMP_DESCRIPTION_MOST 128 /* bytes of a description (docs: MAX_TRANSACTION_DESCRIPTION_LENGTH characters) */

/* Random, and the same in every run with the same seed. */
GUID TmpNewGuid(VOID)
{
    static ULONG64 Count;
    ULONG64 Half[2];
    GUID Id;
    for (ULONG i = 0; i < 2; i++) {
        ULONG64 z = KiDoor->seed * 0x9e3779b97f4a7c15ull + ++Count * 0xd1342543de82ef95ull;
        z = (z ^ z >> 32) * 0xd6e8feb86659fd93ull;
        Half[i] = z ^ z >> 32;
    }
    RtlCopyMemory(&Id, Half, sizeof(Id));
    Id.Data3 = (USHORT)((Id.Data3 & 0x0fff) | 0x4000);
    Id.Data4[0] = (UCHAR)((Id.Data4[0] & 0x3f) | 0x80);
    return Id;
}

static VOID TmpFreeText(PUNICODE_STRING Text)
{
    if (Text->Buffer)
        ExpFree(Text->Buffer);
}

static NTSTATUS TmpKeepText(PUNICODE_STRING To, PUNICODE_STRING From)
{
    if (!From || !From->Length)
        return STATUS_SUCCESS;
    if (From->Length > TMP_DESCRIPTION_MOST)
        return STATUS_INVALID_PARAMETER;
    To->Buffer = ExpAllocate(From->Length, 'txmT');
    To->Length = To->MaximumLength = From->Length;
    RtlCopyMemory(To->Buffer, From->Buffer, From->Length);
    return STATUS_SUCCESS;
}

/* ---- The end of each --------------------------------------------------------------------------------------------- */

static VOID TmpDeleteTm(PVOID Object)
{
    RemoveEntryList(&((PKTM)Object)->Entry);
}

static VOID TmpDeleteRm(PVOID Object)
{
    PKRESOURCEMANAGER Rm = Object;
    if (Rm->Callback)
        VfUntrack(Rm, VfCallbackObject);
    RemoveEntryList(&Rm->Entry);
    TmpEmptyQueue(Rm);
    TmpFreeText(&Rm->Description);
    ObfDereferenceObject(Rm->Tm);
}

/* docs: ZwCreateTransaction: what nobody can commit any more is rolled back. */
static VOID TmpCloseTransaction(PVOID Object, ULONG RemainingHandles)
{
    PKTRANSACTION Transaction = Object;
    if (!RemainingHandles && Transaction->Phase == TmActive)
        TmpRollback(Transaction, FALSE);
}

static VOID TmpDeleteTransaction(PVOID Object)
{
    PKTRANSACTION Transaction = Object;
    if (Transaction->TimerSet)
        KeCancelTimer(&Transaction->Timer);
    RemoveEntryList(&Transaction->Entry);
    TmpFreeText(&Transaction->Description);
}

static VOID TmpDeleteEnlistment(PVOID Object)
{
    PKENLISTMENT Enlistment = Object;
    PKTRANSACTION Transaction = Enlistment->Transaction;
    if (!IsListEmpty(&Enlistment->Entry))
        RemoveEntryList(&Enlistment->Entry);
    if (Transaction->Superior == Enlistment)
        Transaction->Superior = NULL;
    if (Enlistment->Recovery)
        ExpFree(Enlistment->Recovery);
    ObfDereferenceObject(Enlistment->Rm);
    ObfDereferenceObject(Transaction);
}

/* docs: ZwCreateEnlistment: closing the last handle of one that has not answered rolls the transaction back. */
static VOID TmpCloseEnlistment(PVOID Object, ULONG RemainingHandles)
{
    PKENLISTMENT Enlistment = Object;
    TM_PHASE Phase = Enlistment->Transaction->Phase;
    if (RemainingHandles || IsListEmpty(&Enlistment->Entry))
        return;
    if (Phase < TmCommitting)
        TmpRollback(Enlistment->Transaction, FALSE);
    if (Enlistment->Asked)
        TmpAnswer(Enlistment, Enlistment->Asked);
}

VOID TmInitialize(VOID)
{
    TmpTmType =
        ObpCreateType(&(OB_TYPE_INIT){.Name = L"TmTm",
                                      .BodyBytes = sizeof(KTM),
                                      .ValidAccess = TRANSACTIONMANAGER_ALL_ACCESS,
                                      .Mapping = {TRANSACTIONMANAGER_GENERIC_READ, TRANSACTIONMANAGER_GENERIC_WRITE,
                                                  TRANSACTIONMANAGER_GENERIC_EXECUTE, TRANSACTIONMANAGER_ALL_ACCESS},
                                      .Delete = TmpDeleteTm});
    TmpRmType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"TmRm",
                                              .BodyBytes = sizeof(KRESOURCEMANAGER),
                                              .ValidAccess = RESOURCEMANAGER_ALL_ACCESS,
                                              .Mapping = {RESOURCEMANAGER_GENERIC_READ, RESOURCEMANAGER_GENERIC_WRITE,
                                                          RESOURCEMANAGER_GENERIC_EXECUTE, RESOURCEMANAGER_ALL_ACCESS},
                                              .Delete = TmpDeleteRm,
                                              .Waitable = TRUE,
                                              .WaitOffset = FIELD_OFFSET(KRESOURCEMANAGER, Waiting)});
    TmpTransactionType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"TmTx",
                                                       .BodyBytes = sizeof(KTRANSACTION),
                                                       .ValidAccess = TRANSACTION_ALL_ACCESS,
                                                       .Mapping = {TRANSACTION_GENERIC_READ, TRANSACTION_GENERIC_WRITE,
                                                                   TRANSACTION_GENERIC_EXECUTE, TRANSACTION_ALL_ACCESS},
                                                       .Close = TmpCloseTransaction,
                                                       .Delete = TmpDeleteTransaction,
                                                       .Waitable = TRUE});
    TmpEnlistmentType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"TmEn",
                                                      .BodyBytes = sizeof(KENLISTMENT),
                                                      .ValidAccess = ENLISTMENT_ALL_ACCESS,
                                                      .Mapping = {ENLISTMENT_GENERIC_READ, ENLISTMENT_GENERIC_WRITE,
                                                                  ENLISTMENT_GENERIC_EXECUTE, ENLISTMENT_ALL_ACCESS},
                                                      .Close = TmpCloseEnlistment,
                                                      .Delete = TmpDeleteEnlistment});
    TmTransactionManagerObjectType = (PVOID)TmpTmType;
    TmResourceManagerObjectType = (PVOID)TmpRmType;
    TmTransactionObjectType = (PVOID)TmpTransactionType;
    TmEnlistmentObjectType = (PVOID)TmpEnlistmentType;
}

/* ---- Transaction managers ---------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateTransactionManager(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                          PUNICODE_STRING LogFileName, ULONG Options, ULONG CommitStrength)
{
    PVOID Object;
    if ((Options & ~0xfu) || (!(Options & TMP_VOLATILE) && (!LogFileName || !LogFileName->Length)) ||
        ((Options & TMP_VOLATILE) && LogFileName && LogFileName->Length))
        return STATUS_INVALID_PARAMETER;
    if (!(Options & TMP_VOLATILE))
        return STATUS_NOT_SUPPORTED;
    NTSTATUS Status = ObpAllocateObject(TmpTmType, sizeof(KTM), &Object);
    if (!NT_SUCCESS(Status))
        return Status;
    PKTM Tm = Object;
    Tm->Id = TmpNewGuid();
    InitializeListHead(&Tm->ResourceManagers);
    InsertTailList(&TmpManagers, &Tm->Entry);
    return ObpInsertObject(Tm, Attributes, Access, Handle);
}

NTSTATUS NTAPI NtOpenTransactionManager(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                        PUNICODE_STRING LogFileName, LPGUID Id, ULONG Options)
{
    if (Attributes && Attributes->ObjectName)
        return ObpOpen(Attributes, TmpTmType, Access, NULL, Handle);
    for (PLIST_ENTRY Entry = TmpManagers.Flink; Id && Entry != &TmpManagers; Entry = Entry->Flink) {
        PKTM Tm = CONTAINING_RECORD(Entry, KTM, Entry);
        if (!memcmp(&Tm->Id, Id, sizeof(GUID)))
            return ObOpenObjectByPointer(Tm, Attributes ? Attributes->Attributes : 0, NULL, Access, TmpTmType,
                                         KernelMode, Handle);
    }
    return Id ? STATUS_TRANSACTIONMANAGER_NOT_FOUND : STATUS_INVALID_PARAMETER;
}

/* ---- Resource managers ------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateResourceManager(PHANDLE Handle, ACCESS_MASK Access, HANDLE TmHandle, LPGUID Id,
                                       POBJECT_ATTRIBUTES Attributes, ULONG Options, PUNICODE_STRING Description)
{
    PVOID Tm, Object;
    if ((Options & ~(TMP_VOLATILE | TMP_RM_COMMUNICATION)) || !Id)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status =
        ObReferenceObjectByHandle(TmHandle, TRANSACTIONMANAGER_CREATE_RM, TmpTmType, ExGetPreviousMode(), &Tm, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    /* docs: a volatile transaction manager has volatile resource managers only */
    Status =
        Options & TMP_VOLATILE ? ObpAllocateObject(TmpRmType, sizeof(KRESOURCEMANAGER), &Object) : STATUS_TM_VOLATILE;
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(Tm);
        return Status;
    }
    PKRESOURCEMANAGER Rm = Object;
    Rm->Tm = Tm;
    Rm->Id = *Id;
    InitializeListHead(&Rm->Queue);
    KeInitializeSemaphore(&Rm->Waiting, 0, MAXLONG);
    InsertTailList(&Rm->Tm->ResourceManagers, &Rm->Entry);
    Status = TmpKeepText(&Rm->Description, Description);
    if (NT_SUCCESS(Status))
        return ObpInsertObject(Rm, Attributes, Access, Handle);
    ObfDereferenceObject(Rm);
    return Status;
}

NTSTATUS NTAPI NtOpenResourceManager(PHANDLE Handle, ACCESS_MASK Access, HANDLE TmHandle, LPGUID Id,
                                     POBJECT_ATTRIBUTES Attributes)
{
    PVOID Object;
    if (Attributes && Attributes->ObjectName)
        return ObpOpen(Attributes, TmpRmType, Access, NULL, Handle);
    NTSTATUS Status = ObReferenceObjectByHandle(TmHandle, 0, TmpTmType, ExGetPreviousMode(), &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    PKTM Tm = Object;
    Status = Id ? STATUS_RESOURCEMANAGER_NOT_FOUND : STATUS_INVALID_PARAMETER;
    for (PLIST_ENTRY Entry = Tm->ResourceManagers.Flink; Id && Entry != &Tm->ResourceManagers; Entry = Entry->Flink) {
        PKRESOURCEMANAGER Rm = CONTAINING_RECORD(Entry, KRESOURCEMANAGER, Entry);
        if (memcmp(&Rm->Id, Id, sizeof(GUID)))
            continue;
        Status = ObOpenObjectByPointer(Rm, Attributes ? Attributes->Attributes : 0, NULL, Access, TmpRmType, KernelMode,
                                       Handle);
        break;
    }
    ObfDereferenceObject(Tm);
    return Status;
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static VOID NTAPI TmpExpireItem(PVOID Context)
{
    TmpRollback(Context, FALSE);
    ObfDereferenceObject(Context);
}

static VOID NTAPI TmpExpire(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PKTRANSACTION Transaction = Context;
    ObfReferenceObject(Transaction);
    ExInitializeWorkItem(&Transaction->Item, TmpExpireItem, Transaction);
    ExQueueWorkItem(&Transaction->Item, DelayedWorkQueue);
}

NTSTATUS NTAPI NtCreateTransaction(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, LPGUID Uow,
                                   HANDLE TmHandle, ULONG Options, ULONG IsolationLevel, ULONG IsolationFlags,
                                   PLARGE_INTEGER Timeout, PUNICODE_STRING Description)
{
    PVOID Object;
    if ((Options & ~TMP_DO_NOT_PROMOTE) || IsolationLevel || IsolationFlags)
        return STATUS_INVALID_PARAMETER;
    if (TmHandle) { /* it must be one; transactions of this machine belong to all */
        NTSTATUS Checked = ObReferenceObjectByHandle(TmHandle, 0, TmpTmType, ExGetPreviousMode(), &Object, NULL);
        if (!NT_SUCCESS(Checked))
            return Checked;
        ObfDereferenceObject(Object);
    }
    NTSTATUS Status = ObpAllocateObject(TmpTransactionType, sizeof(KTRANSACTION), &Object);
    if (!NT_SUCCESS(Status))
        return Status;
    PKTRANSACTION Transaction = Object;
    KeInitializeEvent(&Transaction->Ended, NotificationEvent, FALSE);
    Transaction->Id = Uow ? *Uow : TmpNewGuid();
    InitializeListHead(&Transaction->Enlistments);
    InitializeListHead(&Transaction->Participants);
    InsertTailList(&TmpTransactions, &Transaction->Entry);
    Status = TmpKeepText(&Transaction->Description, Description);
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(Transaction);
        return Status;
    }
    if (Timeout && Timeout->QuadPart) {
        KeInitializeTimer(&Transaction->Timer);
        KeInitializeDpc(&Transaction->Dpc, TmpExpire, Transaction);
        Transaction->TimerSet = TRUE;
        Transaction->Timeout = Timeout->QuadPart < 0 ? (ULONG)(-Timeout->QuadPart / 10000) : 0;
        KeSetTimer(&Transaction->Timer, *Timeout, &Transaction->Dpc);
    }
    return ObpInsertObject(Transaction, Attributes, Access, Handle);
}

NTSTATUS NTAPI NtOpenTransaction(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, LPGUID Uow,
                                 HANDLE TmHandle)
{
    if (Attributes && Attributes->ObjectName)
        return ObpOpen(Attributes, TmpTransactionType, Access, NULL, Handle);
    for (PLIST_ENTRY Entry = TmpTransactions.Flink; Uow && Entry != &TmpTransactions; Entry = Entry->Flink) {
        PKTRANSACTION Transaction = CONTAINING_RECORD(Entry, KTRANSACTION, Entry);
        if (!memcmp(&Transaction->Id, Uow, sizeof(GUID)))
            return ObOpenObjectByPointer(Transaction, Attributes ? Attributes->Attributes : 0, NULL, Access,
                                         TmpTransactionType, KernelMode, Handle);
    }
    return Uow ? STATUS_TRANSACTION_NOT_FOUND : STATUS_INVALID_PARAMETER;
}

/* ---- Enlistments ------------------------------------------------------------------------------------------------- */

/* docs: ZwCreateEnlistment: who prepares must hear of the outcome. */
static NTSTATUS TmpMayEnlist(PKTRANSACTION Transaction, ULONG Options, ULONG Mask)
{
    ULONG Outcome = TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK;
    if ((Options & ~TMP_SUPERIOR) || !Mask || (Mask & ~TRANSACTION_NOTIFY_MASK))
        return STATUS_INVALID_PARAMETER;
    if (!(Options & TMP_SUPERIOR) && (Mask & TRANSACTION_NOTIFY_PREPARE) && (Mask & Outcome) != Outcome)
        return STATUS_INVALID_PARAMETER;
    if (Transaction->Phase != TmActive && !(Transaction->Phase == TmPrePreparing && !(Options & TMP_SUPERIOR)))
        return STATUS_TRANSACTION_NOT_ACTIVE;
    return (Options & TMP_SUPERIOR) && Transaction->Superior ? STATUS_TRANSACTION_SUPERIOR_EXISTS : STATUS_SUCCESS;
}

NTSTATUS NTAPI TmCreateEnlistment(PHANDLE Handle, KPROCESSOR_MODE Mode, ACCESS_MASK Access,
                                  POBJECT_ATTRIBUTES Attributes, PKRESOURCEMANAGER Rm, PKTRANSACTION Transaction,
                                  ULONG Options, ULONG Mask, PVOID Key)
{
    PVOID Object;
    NTSTATUS Status = TmpMayEnlist(Transaction, Options, Mask);
    if (NT_SUCCESS(Status))
        Status = ObpAllocateObject(TmpEnlistmentType, sizeof(KENLISTMENT), &Object);
    if (!NT_SUCCESS(Status))
        return Status;
    PKENLISTMENT Enlistment = Object;
    Enlistment->Id = TmpNewGuid();
    Enlistment->Rm = Rm;
    Enlistment->Transaction = Transaction;
    Enlistment->Mask = Mask;
    Enlistment->Superior = (Options & TMP_SUPERIOR) != 0;
    Enlistment->Key = Key;
    Enlistment->KeyReferences = 1;
    ObfReferenceObject(Rm);
    ObfReferenceObject(Transaction);
    InsertTailList(&Transaction->Enlistments, &Enlistment->Entry);
    if (Enlistment->Superior)
        Transaction->Superior = Enlistment;
    return ObpInsertObject(Enlistment, Attributes, Access, Handle);
}

NTSTATUS NTAPI NtCreateEnlistment(PHANDLE Handle, ACCESS_MASK Access, HANDLE RmHandle, HANDLE TransactionHandle,
                                  POBJECT_ATTRIBUTES Attributes, ULONG Options, ULONG Mask, PVOID Key)
{
    PVOID Rm, Transaction;
    NTSTATUS Status =
        ObReferenceObjectByHandle(RmHandle, RESOURCEMANAGER_ENLIST, TmpRmType, ExGetPreviousMode(), &Rm, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObReferenceObjectByHandle(TransactionHandle, TRANSACTION_ENLIST, TmpTransactionType, ExGetPreviousMode(),
                                       &Transaction, NULL);
    if (NT_SUCCESS(Status)) {
        Status =
            TmCreateEnlistment(Handle, ExGetPreviousMode(), Access, Attributes, Rm, Transaction, Options, Mask, Key);
        ObfDereferenceObject(Transaction);
    }
    ObfDereferenceObject(Rm);
    return Status;
}

NTSTATUS NTAPI NtOpenEnlistment(PHANDLE Handle, ACCESS_MASK Access, HANDLE RmHandle, LPGUID Id,
                                POBJECT_ATTRIBUTES Attributes)
{
    PVOID Rm;
    NTSTATUS Status = ObReferenceObjectByHandle(RmHandle, 0, TmpRmType, ExGetPreviousMode(), &Rm, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = STATUS_ENLISTMENT_NOT_FOUND;
    for (PLIST_ENTRY Entry = TmpTransactions.Flink; Entry != &TmpTransactions && Status == STATUS_ENLISTMENT_NOT_FOUND;
         Entry = Entry->Flink) {
        PLIST_ENTRY Head = &CONTAINING_RECORD(Entry, KTRANSACTION, Entry)->Enlistments;
        for (PLIST_ENTRY On = Head->Flink; On != Head; On = On->Flink) {
            PKENLISTMENT Enlistment = CONTAINING_RECORD(On, KENLISTMENT, Entry);
            if (Enlistment->Rm != Rm || memcmp(&Enlistment->Id, Id, sizeof(GUID)))
                continue;
            Status = ObOpenObjectByPointer(Enlistment, Attributes ? Attributes->Attributes : 0, NULL, Access,
                                           TmpEnlistmentType, KernelMode, Handle);
            break;
        }
    }
    ObfDereferenceObject(Rm);
    return Status;
}
