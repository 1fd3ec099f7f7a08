/*
 * The ids of the transaction manager's objects, in order, some at a time: a cursor begins behind the last one it gave.
 * (docs: ZwEnumerateTransactionObject, KTMOBJECT_CURSOR)
 */
#include "nt.h"
#include "tm/tmp.h"

/* The least id behind Last that was offered. */
typedef struct _TMP_SEARCH {
    GUID Last, Best;
    BOOLEAN Any, Found; /* Any: Last is one */
} TMP_SEARCH, *PTMP_SEARCH;

static VOID TmpOffer(PTMP_SEARCH Search, const GUID *Id)
{
    if (Search->Any && memcmp(Id, &Search->Last, sizeof(*Id)) <= 0)
        return;
    if (!Search->Found || memcmp(Id, &Search->Best, sizeof(*Id)) < 0)
        Search->Best = *Id;
    Search->Found = TRUE;
}

static VOID TmpOfferEnlistments(PTMP_SEARCH Search, PKTRANSACTION Transaction, PKRESOURCEMANAGER Rm)
{
    for (PLIST_ENTRY Entry = Transaction->Enlistments.Flink; Entry != &Transaction->Enlistments; Entry = Entry->Flink) {
        PKENLISTMENT Enlistment = CONTAINING_RECORD(Entry, KENLISTMENT, Entry);
        if (Enlistment->Rm == Rm)
            TmpOffer(Search, &Enlistment->Id);
    }
}

static VOID TmpOfferAll(PTMP_SEARCH Search, KTMOBJECT_TYPE Type, PVOID Root)
{
    PLIST_ENTRY List = Type == KTMOBJECT_TRANSACTION_MANAGER ? &TmpManagers
                       : Type == KTMOBJECT_RESOURCE_MANAGER  ? &((PKTM)Root)->ResourceManagers
                                                             : &TmpTransactions;
    for (PLIST_ENTRY Entry = List->Flink; Entry != List; Entry = Entry->Flink)
        switch (Type) {
        case KTMOBJECT_TRANSACTION_MANAGER:
            TmpOffer(Search, &CONTAINING_RECORD(Entry, KTM, Entry)->Id);
            break;
        case KTMOBJECT_RESOURCE_MANAGER:
            TmpOffer(Search, &CONTAINING_RECORD(Entry, KRESOURCEMANAGER, Entry)->Id);
            break;
        case KTMOBJECT_TRANSACTION:
            TmpOffer(Search, &CONTAINING_RECORD(Entry, KTRANSACTION, Entry)->Id);
            break;
        default:
            TmpOfferEnlistments(Search, CONTAINING_RECORD(Entry, KTRANSACTION, Entry), Root);
        }
}

static NTSTATUS TmpEnumerate(KTMOBJECT_TYPE Type, PVOID Root, PKTMOBJECT_CURSOR Cursor, ULONG Bytes, PULONG Returned)
{
    static const GUID None;
    const ULONG Fixed = FIELD_OFFSET(KTMOBJECT_CURSOR, ObjectIds);
    TMP_SEARCH Search = {.Last = Cursor->LastQuery, .Any = memcmp(&Cursor->LastQuery, &None, sizeof(None)) != 0};
    ULONG Room = (Bytes - Fixed) / sizeof(GUID);
    Cursor->ObjectIdCount = 0;
    while (Cursor->ObjectIdCount < Room) {
        Search.Found = FALSE;
        TmpOfferAll(&Search, Type, Root);
        if (!Search.Found)
            break;
        Cursor->ObjectIds[Cursor->ObjectIdCount++] = Search.Last = Search.Best;
        Search.Any = TRUE;
    }
    Cursor->LastQuery = Search.Last;
    if (Returned)
        *Returned = Fixed + Cursor->ObjectIdCount * sizeof(GUID);
    return Cursor->ObjectIdCount ? STATUS_SUCCESS : STATUS_NO_MORE_ENTRIES;
}

/* docs: resource managers are a transaction manager's, enlistments a resource manager's; the others are of the whole system. */
NTSTATUS NTAPI NtEnumerateTransactionObject(HANDLE RootHandle, KTMOBJECT_TYPE Type, PKTMOBJECT_CURSOR Cursor,
                                            ULONG Bytes, PULONG Returned)
{
    BOOLEAN OfTm = Type == KTMOBJECT_RESOURCE_MANAGER, OfRm = Type == KTMOBJECT_ENLISTMENT;
    PVOID Root = NULL;
    NTSTATUS Status = STATUS_SUCCESS;
    if ((ULONG)Type >= KTMOBJECT_INVALID || Bytes < sizeof(KTMOBJECT_CURSOR))
        return STATUS_INVALID_PARAMETER;
    if (OfTm || OfRm)
        Status = ObReferenceObjectByHandle(
            RootHandle, OfTm ? TRANSACTIONMANAGER_QUERY_INFORMATION : RESOURCEMANAGER_QUERY_INFORMATION,
            OfTm ? TmpTmType : TmpRmType, ExGetPreviousMode(), &Root, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = TmpEnumerate(Type, Root, Cursor, Bytes, Returned);
    if (Root)
        ObfDereferenceObject(Root);
    return Status;
}

/* docs: TmRenameTransactionManager: another identity for a manager whose log was copied. DIFFERS: no manager has a log. */
NTSTATUS NTAPI TmRenameTransactionManager(PUNICODE_STRING LogFileName, GUID *Id)
{
    if (!LogFileName || !LogFileName->Length || !Id)
        return STATUS_INVALID_PARAMETER;
    for (PLIST_ENTRY Entry = TmpManagers.Flink; Entry != &TmpManagers; Entry = Entry->Flink)
        if (!memcmp(&CONTAINING_RECORD(Entry, KTM, Entry)->Id, Id, sizeof(*Id)))
            return STATUS_TM_VOLATILE;
    return STATUS_TRANSACTIONMANAGER_NOT_FOUND;
}
