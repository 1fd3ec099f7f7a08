/*
 * The tree of keys and values.
 */
#include "nt.h"
#include "cm/cmp.h"

static VOID CmpCopyString(PUNICODE_STRING To, PCUNICODE_STRING From)
{
    To->Length = To->MaximumLength = From ? From->Length : 0;
    To->Buffer = To->Length ? ExpAllocate(To->Length, CM_TAG) : NULL;
    if (To->Length)
        RtlCopyMemory(To->Buffer, From->Buffer, To->Length);
}

static VOID CmpFreeString(PUNICODE_STRING String)
{
    if (String->Buffer)
        ExpFree(String->Buffer);
    RtlZeroMemory(String, sizeof(*String));
}

VOID CmpTouch(PCM_KEY Key)
{
    Key->WriteTime.QuadPart = KiSystemTime();
    CmpHiveChanges(Key);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static LONG CmpCompareKey(PCM_NODE Node, const VOID *Name)
{
    return RtlCompareUnicodeString(&CONTAINING_RECORD(Node, CM_KEY, Node)->Name, Name, TRUE);
}

#define CmpKeyOf(ANode) CONTAINING_RECORD(ANode, CM_KEY, Node)

/* Node's subtree in order, seen by Transaction: the Index-th; *Index goes down by those passed. */
static PCM_KEY CmpWalkKeys(PCM_NODE Node, PULONG Index, struct _CM_TRANSACTION *Transaction)
{
    for (; Node; Node = Node->Right) {
        PCM_KEY Found = CmpWalkKeys(Node->Left, Index, Transaction);
        if (Found)
            return Found;
        if (CmpSees(&CmpKeyOf(Node)->Mark, Transaction) && !(*Index)--)
            return CmpKeyOf(Node);
    }
    return NULL;
}

PCM_KEY CmpNthKey(PCM_KEY Parent, ULONG Index, struct _CM_TRANSACTION *Transaction)
{
    if (Parent->Pending)
        return CmpWalkKeys(Parent->Children, &Index, Transaction);
    PCM_NODE Node = CmpTreeNth(Parent->Children, Index);
    return Node ? CmpKeyOf(Node) : NULL;
}

ULONG CmpKeyCount(PCM_KEY Parent, struct _CM_TRANSACTION *Transaction)
{
    ULONG Most = MAXULONG;
    if (!Parent->Pending)
        return CmpTreeCount(Parent->Children);
    CmpWalkKeys(Parent->Children, &Most, Transaction);
    return MAXULONG - Most;
}

/* Of those with this name, in the subtree that may hold them. */
static PCM_KEY CmpSeenKey(PCM_NODE Node, PCUNICODE_STRING Name, struct _CM_TRANSACTION *Transaction)
{
    while (Node) {
        LONG Order = CmpCompareKey(Node, Name);
        if (Order == 0) {
            if (CmpSees(&CmpKeyOf(Node)->Mark, Transaction))
                return CmpKeyOf(Node);
            PCM_KEY Found = CmpSeenKey(Node->Left, Name, Transaction);
            if (Found)
                return Found;
        }
        Node = Order <= 0 ? Node->Right : Node->Left;
    }
    return NULL;
}

PCM_KEY CmpFindKey(PCM_KEY Parent, PCUNICODE_STRING Name, struct _CM_TRANSACTION *Transaction)
{
    return CmpSeenKey(Parent->Children, Name, Transaction);
}

static VOID CmpLinkKey(PCM_KEY Key)
{
    Key->Node.Own[0] = Key->Name.Length;
    Key->Node.Own[1] = Key->Class.Length;
    CmpTreeInsert(&Key->Parent->Children, &Key->Node, CmpCompareKey, &Key->Name);
}

PCM_KEY CmpMakeKey(PCM_KEY Parent, PCUNICODE_STRING Name, PSECURITY_DESCRIPTOR Security)
{
    PCM_KEY Key = ExpAllocate(sizeof(*Key), CM_TAG);
    RtlZeroMemory(Key, sizeof(*Key));
    InitializeListHead(&Key->Watches);
    CmpCopyString(&Key->Name, Name);
    Key->Parent = Parent;
    CmpTouch(Key);
    Key->Security = Security;
    if (Parent && !Security)
        CmpMakeSecurity(Parent, NULL, &Key->Security);
    if (Parent) {
        Key->Flags = Parent->Flags & CM_VOLATILE;
        CmpLinkKey(Key);
        Parent->WriteTime = Key->WriteTime;
    }
    return Key;
}

static VOID CmpUnhookKey(PCM_KEY Key)
{
    CmpTreeRemove(&Key->Parent->Children, &Key->Node, CmpCompareKey, &Key->Name);
}

VOID CmpSetClass(PCM_KEY Key, PCUNICODE_STRING Class)
{
    if (Key->Parent)
        CmpUnhookKey(Key);
    CmpFreeString(&Key->Class);
    CmpCopyString(&Key->Class, Class);
    if (Key->Parent)
        CmpLinkKey(Key);
}

VOID CmpRenameKey(PCM_KEY Key, PCUNICODE_STRING Name)
{
    CmpUnhookKey(Key);
    CmpFreeString(&Key->Name);
    CmpCopyString(&Key->Name, Name);
    CmpLinkKey(Key);
    CmpTouch(Key);
    CmpTouch(Key->Parent);
}

VOID CmpAttachKey(PCM_KEY Parent, PCM_KEY Key, PCUNICODE_STRING Name)
{
    CmpFreeString(&Key->Name);
    CmpCopyString(&Key->Name, Name);
    Key->Parent = Parent;
    if (!Key->Security)
        CmpMakeSecurity(Parent, NULL, &Key->Security);
    CmpLinkKey(Key);
    CmpTouch(Parent);
}

ULONG CmpDepth(PCM_KEY Key)
{
    ULONG Depth = 0;
    for (; Key; Key = Key->Parent)
        Depth++;
    return Depth;
}

VOID CmpReferenceKey(PCM_KEY Key)
{
    Key->References++;
}

/* A deleted key that nobody refers to goes, and with it the reference it has on its parent. */
static VOID CmpFreeUnused(PCM_KEY Key)
{
    while (Key && (Key->Flags & CM_DELETED) && !Key->References) {
        PCM_KEY Parent = Key->Parent;
        while (Key->Aged) {
            PCM_VALUE Value = CONTAINING_RECORD(Key->Aged, CM_VALUE, ByAge);
            CmpForget(&Value->Mark, Key);
            CmpRemoveValue(Value);
        }
        CmpFreeString(&Key->Name);
        CmpFreeString(&Key->Class);
        CmpReplaceSecurity(Key, NULL);
        ExpFree(Key);
        Key = Parent;
        if (Key)
            Key->References--;
    }
}

VOID CmpDereferenceKey(PCM_KEY Key)
{
    Key->References--;
    CmpFreeUnused(Key);
}

/* A key without subkeys. */
static VOID CmpUnlinkLeaf(PCM_KEY Key)
{
    PCM_KEY Parent = Key->Parent;
    CmpForget(&Key->Mark, Parent);
    CmpUnhookKey(Key);
    Key->Flags |= CM_DELETED;
    CmpTouch(Parent);
    CmpReferenceKey(Parent); /* the deleted key's name still is below its parent's */
    CmpReferenceKey(Key);    /* telling is a delivery point */
    CmpWatchedKeyGoes(Key);
    CmpDereferenceKey(Key);
}

/* The deepest first, each time from the top: others may have changed the tree meanwhile. */
VOID CmpUnlinkBelow(PCM_KEY Key)
{
    CmpReferenceKey(Key);
    while (Key->Children) {
        PCM_KEY On = CmpKeyOf(Key->Children);
        while (On->Children)
            On = CmpKeyOf(On->Children);
        CmpUnlinkLeaf(On);
    }
    CmpDereferenceKey(Key);
}

VOID CmpUnlinkKey(PCM_KEY Key)
{
    CmpReferenceKey(Key);
    CmpUnlinkBelow(Key);
    if (!(Key->Flags & CM_DELETED))
        CmpUnlinkLeaf(Key);
    CmpDereferenceKey(Key);
}

VOID CmpDestroyTree(PCM_KEY Top)
{
    CmpUnlinkBelow(Top);
    Top->Flags |= CM_DELETED;
    CmpFreeUnused(Top);
}

NTSTATUS CmpWalkTree(PCM_KEY Top, CM_VISIT *Visit, PVOID Context)
{
    PULONG Next = ExpAllocate((CM_DEPTH_MOST + 1) * sizeof(ULONG), CM_TAG); /* of each level, which subkey comes next */
    NTSTATUS Status = Visit(Top, Context);
    ULONG Depth = 0;
    for (PCM_KEY Key = Top; NT_SUCCESS(Status);) {
        PCM_NODE Node = Depth < CM_DEPTH_MOST ? CmpTreeNth(Key->Children, Next[Depth]++) : NULL;
        if (Node) {
            Key = CmpKeyOf(Node);
            Status = Visit(Key, Context);
            Next[++Depth] = Status == STATUS_NO_MORE_ENTRIES ? MAXULONG : 0;
            Status = Status == STATUS_NO_MORE_ENTRIES ? STATUS_SUCCESS : Status;
        } else if (Depth) {
            Depth--;
            Key = Key->Parent;
        } else
            break;
    }
    ExpFree(Next);
    return Status == STATUS_NO_MORE_ENTRIES ? STATUS_SUCCESS : Status;
}

static NTSTATUS CmpCountUses(PCM_KEY Key, PVOID Count)
{
    *(PULONG)Count += Key->References;
    return STATUS_SUCCESS;
}

ULONG CmpUsesBelow(PCM_KEY Top)
{
    ULONG Count = 0;
    CmpWalkTree(Top, CmpCountUses, &Count);
    return Count;
}

/* ---- Trees put together ------------------------------------------------------------------------------------------ */

/* What From is, without what is below it. */
static NTSTATUS CmpMergeKey(PCM_KEY Into, PCM_KEY From)
{
    if (Into->Owner) /* changed by a transaction */
        return STATUS_TRANSACTIONAL_CONFLICT;
    Into->Flags = (Into->Flags & ~CM_LINK) | (From->Flags & CM_LINK);
    if (From->Class.Length)
        CmpSetClass(Into, &From->Class);
    if (From->Security) {
        ObReferenceSecurityDescriptor(From->Security, 1);
        CmpReplaceSecurity(Into, From->Security);
    }
    PCM_VALUE Value;
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG i = 0; NT_SUCCESS(Status) && (Value = CmpNthValue(From, i, NULL)); i++)
        Status = CmpSetValue(Into, &Value->Name, Value->Type, Value->Data, Value->Bytes);
    return Status;
}

NTSTATUS CmpMergeTree(PCM_KEY Into, PCM_KEY From)
{
    PCM_KEY Top = From;
    NTSTATUS Status = CmpMergeKey(Into, From);
    while (NT_SUCCESS(Status)) {
        PCM_KEY Child = From->Children ? CmpKeyOf(From->Children) : NULL;
        PCM_KEY Same = Child ? CmpFindKey(Into, &Child->Name, NULL) : NULL;
        if (Same) {
            Status = CmpMergeKey(Same, Child);
            Into = Same;
            From = Child;
        } else if (Child) {
            UNICODE_STRING Name = Child->Name;
            CmpUnhookKey(Child);
            Child->Name.Buffer = NULL;
            CmpAttachKey(Into, Child, &Name);
            CmpFreeString(&Name);
        } else {
            Into->WriteTime = From->WriteTime;
            if (From == Top)
                break;
            Child = From;
            From = From->Parent;
            Into = Into->Parent;
            CmpUnlinkLeaf(Child);
        }
    }
    CmpDestroyTree(Top);
    return Status;
}

PCM_KEY CmpMakePath(PCM_KEY Parent, PCWSTR Path)
{
    while (*Path) {
        ULONG n = 0;
        while (Path[n] && Path[n] != L'\\')
            n++;
        UNICODE_STRING Name = {(USHORT)(n * sizeof(WCHAR)), (USHORT)(n * sizeof(WCHAR)), (PWSTR)Path};
        PCM_KEY Key = CmpFindKey(Parent, &Name, NULL);
        Parent = Key ? Key : CmpMakeKey(Parent, &Name, NULL);
        Path += Path[n] ? n + 1 : n;
    }
    return Parent;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

#define CmpValueByName(ANode) CONTAINING_RECORD(ANode, CM_VALUE, ByName)
#define CmpValueByAge(ANode) CONTAINING_RECORD(ANode, CM_VALUE, ByAge)

static LONG CmpCompareValue(PCM_NODE Node, const VOID *Name)
{
    return RtlCompareUnicodeString(&CmpValueByName(Node)->Name, Name, TRUE);
}

static LONG CmpCompareAge(PCM_NODE Node, const VOID *Age)
{
    ULONG64 One = CmpValueByAge(Node)->Age, Other = *(const ULONG64 *)Age;
    return One < Other ? -1 : One > Other;
}

static PCM_VALUE CmpSeenValue(PCM_NODE Node, PCUNICODE_STRING Name, struct _CM_TRANSACTION *Transaction)
{
    while (Node) {
        LONG Order = CmpCompareValue(Node, Name);
        if (Order == 0) {
            if (CmpSees(&CmpValueByName(Node)->Mark, Transaction))
                return CmpValueByName(Node);
            PCM_VALUE Found = CmpSeenValue(Node->Left, Name, Transaction);
            if (Found)
                return Found;
        }
        Node = Order <= 0 ? Node->Right : Node->Left;
    }
    return NULL;
}

PCM_VALUE CmpFindValue(PCM_KEY Key, PCUNICODE_STRING Name, struct _CM_TRANSACTION *Transaction)
{
    return CmpSeenValue(Key->Values, Name, Transaction);
}

static PCM_VALUE CmpWalkValues(PCM_NODE Node, PULONG Index, struct _CM_TRANSACTION *Transaction)
{
    for (; Node; Node = Node->Right) {
        PCM_VALUE Found = CmpWalkValues(Node->Left, Index, Transaction);
        if (Found)
            return Found;
        if (CmpSees(&CmpValueByAge(Node)->Mark, Transaction) && !(*Index)--)
            return CmpValueByAge(Node);
    }
    return NULL;
}

/* Values are numbered in the order in which they were made. */
PCM_VALUE CmpNthValue(PCM_KEY Key, ULONG Index, struct _CM_TRANSACTION *Transaction)
{
    if (Key->Pending)
        return CmpWalkValues(Key->Aged, &Index, Transaction);
    PCM_NODE Node = CmpTreeNth(Key->Aged, Index);
    return Node ? CmpValueByAge(Node) : NULL;
}

ULONG CmpValueCount(PCM_KEY Key, struct _CM_TRANSACTION *Transaction)
{
    ULONG Most = MAXULONG;
    if (!Key->Pending)
        return CmpTreeCount(Key->Aged);
    CmpWalkValues(Key->Aged, &Most, Transaction);
    return MAXULONG - Most;
}

static BOOLEAN CmpCopyData(PCM_VALUE Value, ULONG Type, const VOID *Data, ULONG Bytes)
{
    PVOID Copy = NULL;
    if (Bytes && !(Copy = ExpTryAllocate(Bytes, CM_TAG)))
        return FALSE;
    if (Bytes)
        RtlCopyMemory(Copy, Data, Bytes);
    if (Value->Data)
        ExpFree(Value->Data);
    Value->Data = Copy;
    Value->Bytes = Bytes;
    Value->Type = Type;
    return TRUE;
}

static VOID CmpLinkValue(PCM_VALUE Value)
{
    Value->ByName.Own[0] = Value->Name.Length;
    Value->ByName.Own[1] = Value->Bytes;
    CmpTreeInsert(&Value->Key->Values, &Value->ByName, CmpCompareValue, &Value->Name);
}

PCM_VALUE CmpMakeValue(PCM_KEY Key, PCUNICODE_STRING Name, ULONG Type, const VOID *Data, ULONG Bytes)
{
    static ULONG64 Age;
    PCM_VALUE Value = ExpAllocate(sizeof(*Value), CM_TAG);
    RtlZeroMemory(Value, sizeof(*Value));
    if (!CmpCopyData(Value, Type, Data, Bytes)) {
        ExpFree(Value);
        return NULL;
    }
    Value->Key = Key;
    Value->Mark.IsValue = TRUE;
    Value->Age = ++Age;
    CmpCopyString(&Value->Name, Name);
    CmpLinkValue(Value);
    CmpTreeInsert(&Key->Aged, &Value->ByAge, CmpCompareAge, &Value->Age);
    CmpTouch(Key);
    return Value;
}

NTSTATUS CmpSetValue(PCM_KEY Key, PCUNICODE_STRING Name, ULONG Type, const VOID *Data, ULONG Bytes)
{
    PCM_VALUE Value = CmpFindValue(Key, Name, NULL);
    if (!Value)
        return CmpMakeValue(Key, Name, Type, Data, Bytes) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    if (!CmpCopyData(Value, Type, Data, Bytes))
        return STATUS_INSUFFICIENT_RESOURCES;
    CmpTreeRemove(&Key->Values, &Value->ByName, CmpCompareValue, &Value->Name);
    CmpLinkValue(Value);
    CmpTouch(Key);
    return STATUS_SUCCESS;
}

VOID CmpRemoveValue(PCM_VALUE Value)
{
    PCM_KEY Key = Value->Key;
    CmpTreeRemove(&Key->Values, &Value->ByName, CmpCompareValue, &Value->Name);
    CmpTreeRemove(&Key->Aged, &Value->ByAge, CmpCompareAge, &Value->Age);
    CmpTouch(Key);
    CmpFreeString(&Value->Name);
    if (Value->Data)
        ExpFree(Value->Data);
    ExpFree(Value);
}
