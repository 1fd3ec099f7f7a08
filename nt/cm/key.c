/*
 * The registry's services (docs: ZwCreateKey and its relatives).
 */
#include "nt.h"
#include "cm/cmp.h"

POBJECT_TYPE CmpKeyType;
POBJECT_TYPE *CmKeyObjectType;
PCM_KEY CmpBuildTree(VOID);

/* ---- Key objects ------------------------------------------------------------------------------------------------- */

static NTSTATUS CmpNewBody(PCM_KEY Key, PVOID *Object)
{
    NTSTATUS Status = ObpAllocateObject(CmpKeyType, sizeof(CM_KEY_BODY), Object);
    if (NT_SUCCESS(Status)) {
        ((PCM_KEY_BODY)*Object)->Key = Key;
        Key->References++;
    }
    return Status;
}

static VOID CmpDeleteBody(PVOID Body)
{
    PCM_KEY Key = ((PCM_KEY_BODY)Body)->Key;
    Key->References--;
    CmpReleaseKey(Key);
}

static BOOLEAN CmpNextName(PUNICODE_STRING Rest, PUNICODE_STRING Name)
{
    while (Rest->Length && Rest->Buffer[0] == L'\\') {
        Rest->Buffer++;
        Rest->Length -= sizeof(WCHAR);
    }
    Name->Buffer = Rest->Buffer;
    Name->Length = 0;
    while (Name->Length < Rest->Length && Rest->Buffer[Name->Length / sizeof(WCHAR)] != L'\\')
        Name->Length += sizeof(WCHAR);
    Name->MaximumLength = Name->Length;
    Rest->Buffer += Name->Length / sizeof(WCHAR);
    Rest->Length -= Name->Length;
    return Name->Length != 0;
}

static NTSTATUS CmpParseKey(PVOID Body, PUNICODE_STRING Path, ULONG Access, PVOID Context, PVOID *Object)
{
    PCM_KEY Key = ((PCM_KEY_BODY)Body)->Key;
    PCM_CREATE Create = Context;
    UNICODE_STRING Rest = *Path, Name;
    if (Key->Deleted)
        return STATUS_KEY_DELETED;
    if (Create)
        Create->Disposition = REG_OPENED_EXISTING_KEY;
    while (CmpNextName(&Rest, &Name)) {
        PCM_KEY Child = CmpFindKey(Key, &Name);
        if (!Child) {
            if (!Create || Rest.Length > sizeof(WCHAR))
                return STATUS_OBJECT_NAME_NOT_FOUND;
            if (Name.Length > 255 * sizeof(WCHAR))
                return STATUS_INVALID_PARAMETER;
            Child = CmpMakeKey(Key, &Name);
            Create->Disposition = REG_CREATED_NEW_KEY;
            if (Create->Class && Create->Class->Length) {
                Child->Class.Buffer = ExpAllocate(Create->Class->Length, CM_TAG);
                Child->Class.Length = Child->Class.MaximumLength = Create->Class->Length;
                RtlCopyMemory(Child->Class.Buffer, Create->Class->Buffer, Create->Class->Length);
            }
        }
        Key = Child;
    }
    return CmpNewBody(Key, Object);
}

VOID CmInitialize(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\REGISTRY");
    PVOID Root;
    CmpKeyType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Key",
                                               .BodyBytes = sizeof(CM_KEY_BODY),
                                               .ValidAccess = KEY_ALL_ACCESS,
                                               .Mapping = {KEY_READ, KEY_WRITE, KEY_EXECUTE, KEY_ALL_ACCESS},
                                               .Delete = CmpDeleteBody,
                                               .Parse = CmpParseKey,
                                               .CaseInsensitive = TRUE});
    CmKeyObjectType = (PVOID)CmpKeyType;
    KI_ASSERT(NT_SUCCESS(CmpNewBody(CmpBuildTree(), &Root)));
    KI_ASSERT(NT_SUCCESS(ObpInsertName(Root, &Name, OBJ_PERMANENT)));
    ObfDereferenceObject(Root);
}

static NTSTATUS CmpReferenceKey(HANDLE Handle, PCM_KEY_BODY *Body, PCM_KEY *Key)
{
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, CmpKeyType, KernelMode, (PVOID *)Body, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    *Key = (*Body)->Key;
    if (!(*Key)->Deleted)
        return STATUS_SUCCESS;
    ObfDereferenceObject(*Body);
    return STATUS_KEY_DELETED;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG TitleIndex,
                           PUNICODE_STRING Class, ULONG Options, PULONG Disposition)
{
    CM_CREATE Create = {.Class = Class, .Options = Options};
    NTSTATUS Status = ObpOpen(Attributes, CmpKeyType, Access, &Create, Handle);
    if (NT_SUCCESS(Status) && Disposition)
        *Disposition = Create.Disposition;
    return Status;
}

NTSTATUS NTAPI NtOpenKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    return ObpOpen(Attributes, CmpKeyType, Access, NULL, Handle);
}

NTSTATUS NTAPI NtOpenKeyEx(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG Options)
{
    return ObpOpen(Attributes, CmpKeyType, Access, NULL, Handle);
}

/* docs: ZwDeleteKey: a key with subkeys stays (STATUS_CANNOT_DELETE). */
NTSTATUS NTAPI NtDeleteKey(HANDLE Handle)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Key->ChildCount || !Key->Parent)
        Status = STATUS_CANNOT_DELETE;
    else {
        RemoveEntryList(&Key->Entry);
        Key->Parent->ChildCount--;
        Key->Parent->WriteTime.QuadPart = KiSystemTime();
        Key->Deleted = TRUE;
    }
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtFlushKey(HANDLE Handle)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (NT_SUCCESS(Status))
        ObfDereferenceObject(Body); /* there is no file behind it */
    return Status;
}

/* ---- Answers of varying length ----------------------------------------------------------------------------------- */

/* A reply under construction: what does not fit is counted, not written. docs: ZwQueryValueKey: less room than the
 * fixed part is STATUS_BUFFER_TOO_SMALL, less than all of it STATUS_BUFFER_OVERFLOW. */
typedef struct _CM_REPLY {
    PUCHAR Buffer;
    ULONG Room, Need, Fixed;
} CM_REPLY, *PCM_REPLY;

static VOID CmpPut(PCM_REPLY Reply, ULONG Offset, const VOID *Data, ULONG Bytes)
{
    if (Offset + Bytes > Reply->Need)
        Reply->Need = Offset + Bytes;
    if (Reply->Room < Reply->Fixed || Offset >= Reply->Room)
        return;
    RtlCopyMemory(Reply->Buffer + Offset, Data, Bytes < Reply->Room - Offset ? Bytes : Reply->Room - Offset);
}

static NTSTATUS CmpEndReply(PCM_REPLY Reply, PULONG Returned)
{
    *Returned = Reply->Need;
    if (Reply->Room < Reply->Fixed)
        return STATUS_BUFFER_TOO_SMALL;
    return Reply->Room < Reply->Need ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS CmpFillValue(PCM_VALUE Value, ULONG Class, PVOID Buffer, ULONG Room, PULONG Returned)
{
    CM_REPLY Reply = {.Buffer = Buffer, .Room = Room};
    KEY_VALUE_FULL_INFORMATION Full = {
        .Type = Value->Type, .DataLength = Value->Bytes, .NameLength = Value->Name.Length};
    KEY_VALUE_BASIC_INFORMATION Basic = {.Type = Value->Type, .NameLength = Value->Name.Length};
    KEY_VALUE_PARTIAL_INFORMATION Partial = {.Type = Value->Type, .DataLength = Value->Bytes};
    ULONG NameAt = FIELD_OFFSET(KEY_VALUE_FULL_INFORMATION, Name), DataAt;
    switch (Class) {
    case KeyValueBasicInformation:
        Reply.Fixed = FIELD_OFFSET(KEY_VALUE_BASIC_INFORMATION, Name);
        CmpPut(&Reply, 0, &Basic, Reply.Fixed);
        CmpPut(&Reply, Reply.Fixed, Value->Name.Buffer, Value->Name.Length);
        break;
    case KeyValueFullInformation:
    case KeyValueFullInformationAlign64:
        DataAt = NameAt + Value->Name.Length;
        DataAt = Class == KeyValueFullInformation ? (DataAt + 3) & ~3u : (DataAt + 7) & ~7u;
        Full.DataOffset = DataAt;
        Reply.Fixed = NameAt;
        CmpPut(&Reply, 0, &Full, NameAt);
        CmpPut(&Reply, NameAt, Value->Name.Buffer, Value->Name.Length);
        CmpPut(&Reply, DataAt, Value->Data, Value->Bytes);
        break;
    case KeyValuePartialInformation:
        Reply.Fixed = FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data);
        CmpPut(&Reply, 0, &Partial, Reply.Fixed);
        CmpPut(&Reply, Reply.Fixed, Value->Data, Value->Bytes);
        break;
    case KeyValuePartialInformationAlign64: /* without TitleIndex */
        Reply.Fixed = 2 * sizeof(ULONG);
        CmpPut(&Reply, 0, &Partial.Type, Reply.Fixed);
        CmpPut(&Reply, Reply.Fixed, Value->Data, Value->Bytes);
        break;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    return CmpEndReply(&Reply, Returned);
}

static ULONG CmpLongest(PCM_KEY Key, ULONG What)
{
    ULONG Most = 0;
    for (PLIST_ENTRY Entry = Key->Children.Flink; What < 2 && Entry != &Key->Children; Entry = Entry->Flink) {
        PCM_KEY Child = CONTAINING_RECORD(Entry, CM_KEY, Entry);
        Most = max(Most, What == 0 ? Child->Name.Length : Child->Class.Length);
    }
    for (PLIST_ENTRY Entry = Key->Values.Flink; What >= 2 && Entry != &Key->Values; Entry = Entry->Flink) {
        PCM_VALUE Value = CONTAINING_RECORD(Entry, CM_VALUE, Entry);
        Most = max(Most, What == 2 ? Value->Name.Length : Value->Bytes);
    }
    return Most;
}

/* \REGISTRY\MACHINE\..., written from the end. */
static VOID CmpPutPath(PCM_REPLY Reply, ULONG Offset, PCM_KEY Key, ULONG Bytes)
{
    ULONG End = Offset + Bytes;
    CmpPut(Reply, End, NULL, 0);
    for (; Key; Key = Key->Parent) {
        End -= Key->Name.Length;
        CmpPut(Reply, End, Key->Name.Buffer, Key->Name.Length);
        End -= sizeof(WCHAR);
        CmpPut(Reply, End, L"\\", sizeof(WCHAR));
    }
}

static NTSTATUS CmpFillKey(PCM_KEY Key, ULONG Class, PVOID Buffer, ULONG Room, PULONG Returned)
{
    CM_REPLY Reply = {.Buffer = Buffer, .Room = Room};
    KEY_BASIC_INFORMATION Basic = {.LastWriteTime = Key->WriteTime, .NameLength = Key->Name.Length};
    KEY_NODE_INFORMATION Node = {.LastWriteTime = Key->WriteTime,
                                 .ClassOffset = (ULONG)-1,
                                 .ClassLength = Key->Class.Length,
                                 .NameLength = Key->Name.Length};
    KEY_FULL_INFORMATION Full = {.LastWriteTime = Key->WriteTime,
                                 .ClassOffset = (ULONG)-1,
                                 .ClassLength = Key->Class.Length,
                                 .SubKeys = Key->ChildCount,
                                 .Values = Key->ValueCount,
                                 .MaxNameLen = CmpLongest(Key, 0),
                                 .MaxClassLen = CmpLongest(Key, 1),
                                 .MaxValueNameLen = CmpLongest(Key, 2),
                                 .MaxValueDataLen = CmpLongest(Key, 3)};
    ULONG Bytes = 0, At;
    switch (Class) {
    case KeyBasicInformation:
        Reply.Fixed = FIELD_OFFSET(KEY_BASIC_INFORMATION, Name);
        CmpPut(&Reply, 0, &Basic, Reply.Fixed);
        CmpPut(&Reply, Reply.Fixed, Key->Name.Buffer, Key->Name.Length);
        break;
    case KeyNodeInformation:
        Reply.Fixed = FIELD_OFFSET(KEY_NODE_INFORMATION, Name);
        At = (Reply.Fixed + Key->Name.Length + 3) & ~3u;
        if (Key->Class.Length)
            Node.ClassOffset = At;
        CmpPut(&Reply, 0, &Node, Reply.Fixed);
        CmpPut(&Reply, Reply.Fixed, Key->Name.Buffer, Key->Name.Length);
        if (Key->Class.Length)
            CmpPut(&Reply, At, Key->Class.Buffer, Key->Class.Length);
        break;
    case KeyFullInformation:
        Reply.Fixed = FIELD_OFFSET(KEY_FULL_INFORMATION, Class);
        if (Key->Class.Length)
            Full.ClassOffset = Reply.Fixed;
        CmpPut(&Reply, 0, &Full, Reply.Fixed);
        CmpPut(&Reply, Reply.Fixed, Key->Class.Buffer, Key->Class.Length);
        break;
    case KeyNameInformation:
        for (PCM_KEY Up = Key; Up; Up = Up->Parent)
            Bytes += sizeof(WCHAR) + Up->Name.Length;
        Reply.Fixed = sizeof(ULONG);
        CmpPut(&Reply, 0, &Bytes, sizeof(Bytes));
        CmpPutPath(&Reply, Reply.Fixed, Key, Bytes);
        break;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    return CmpEndReply(&Reply, Returned);
}

/* ---- Values and enumeration -------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtSetValueKey(HANDLE Handle, PUNICODE_STRING Name, ULONG TitleIndex, ULONG Type, PVOID Data, ULONG Bytes)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CmpSetValue(Key, Name, Type, Data, Bytes);
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtQueryValueKey(HANDLE Handle, PUNICODE_STRING Name, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                               ULONG Room, PULONG Returned)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_VALUE Value = CmpFindValue(Key, Name);
    Status = Value ? CmpFillValue(Value, Class, Buffer, Room, Returned) : STATUS_OBJECT_NAME_NOT_FOUND;
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtDeleteValueKey(HANDLE Handle, PUNICODE_STRING Name)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_VALUE Value = CmpFindValue(Key, Name);
    if (Value)
        CmpRemoveValue(Key, Value);
    else
        Status = STATUS_OBJECT_NAME_NOT_FOUND;
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtEnumerateValueKey(HANDLE Handle, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                                   ULONG Room, PULONG Returned)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    PLIST_ENTRY Entry = CmpNth(&Key->Values, Index);
    Status = Entry ? CmpFillValue(CONTAINING_RECORD(Entry, CM_VALUE, Entry), Class, Buffer, Room, Returned)
                   : STATUS_NO_MORE_ENTRIES;
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtEnumerateKey(HANDLE Handle, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Room,
                              PULONG Returned)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    PLIST_ENTRY Entry = CmpNth(&Key->Children, Index);
    Status = Entry ? CmpFillKey(CONTAINING_RECORD(Entry, CM_KEY, Entry), Class, Buffer, Room, Returned)
                   : STATUS_NO_MORE_ENTRIES;
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtQueryKey(HANDLE Handle, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Room, PULONG Returned)
{
    PCM_KEY_BODY Body;
    PCM_KEY Key;
    NTSTATUS Status = CmpReferenceKey(Handle, &Body, &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CmpFillKey(Key, Class, Buffer, Room, Returned);
    ObfDereferenceObject(Body);
    return Status;
}
