/*
 * The host's work on the registry (door.h: DOOR_COMMAND_REGISTRY): a request is a stream of operations that comes in
 * parts; what it asks for is answered by a stream of the same shape, fetched in parts.
 *
 * The host's operations ask no callback and are seen by whoever watches. Every length from the stream is checked.
 */
#include "nt.h"
#include "cm/cmp.h"
#include "cm/hive.h"

#define CM_REQUEST_MOST (64u << 20)

static PUCHAR CmpRequest, CmpAnswer;
static ULONG CmpRequestBytes, CmpRequestRoom, CmpAnswerBytes, CmpAnswerRoom;

/* ---- Streams ----------------------------------------------------------------------------------------------------- */

static BOOLEAN CmpAppend(PUCHAR *Buffer, PULONG Bytes, PULONG Room, const VOID *Data, ULONG More)
{
    if (More > CM_REQUEST_MOST - *Bytes)
        return FALSE;
    if (*Bytes + More > *Room) {
        ULONG Wanted = max(*Room * 2, max(4096, *Bytes + More));
        PUCHAR Larger = ExpTryAllocate(Wanted, CM_TAG);
        if (!Larger)
            return FALSE;
        RtlCopyMemory(Larger, *Buffer, *Bytes);
        if (*Buffer)
            ExpFree(*Buffer);
        *Buffer = Larger;
        *Room = Wanted;
    }
    RtlCopyMemory(*Buffer + *Bytes, Data, More);
    *Bytes += More;
    return TRUE;
}

static VOID CmpDrop(PUCHAR *Buffer, PULONG Bytes, PULONG Room)
{
    if (*Buffer)
        ExpFree(*Buffer);
    *Buffer = NULL;
    *Bytes = *Room = 0;
}

/* One record into the answer. */
static NTSTATUS CmpTell(ULONG Op, PCUNICODE_STRING Key, PCUNICODE_STRING Name, ULONG Type, const VOID *Data,
                        ULONG Bytes)
{
    struct door_registry Record = {.op = (uint16_t)Op,
                                   .key_bytes = Key ? Key->Length : 0,
                                   .name_bytes = Name ? Name->Length : 0,
                                   .type = Type,
                                   .data_bytes = Bytes};
    static const UCHAR Zeros[8];
    BOOLEAN Good = CmpAppend(&CmpAnswer, &CmpAnswerBytes, &CmpAnswerRoom, &Record, sizeof(Record)) &&
                   (!Key || CmpAppend(&CmpAnswer, &CmpAnswerBytes, &CmpAnswerRoom, Key->Buffer, Key->Length)) &&
                   (!Name || CmpAppend(&CmpAnswer, &CmpAnswerBytes, &CmpAnswerRoom, Name->Buffer, Name->Length)) &&
                   CmpAppend(&CmpAnswer, &CmpAnswerBytes, &CmpAnswerRoom, Data, Bytes) &&
                   CmpAppend(&CmpAnswer, &CmpAnswerBytes, &CmpAnswerRoom, Zeros, (ULONG) - (LONG)CmpAnswerBytes & 7);
    return Good ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- Finding the key --------------------------------------------------------------------------------------------- */

static const UNICODE_STRING CmpLinkValue = RTL_CONSTANT_STRING(L"SymbolicLinkValue");

/* A link's target, or the key itself. */
static PCM_KEY CmpBehindLink(PCM_KEY Key, ULONG Depth);

/* Below the root; Create: what is missing is made. NULL: it is not there, or its name is no good. */
static PCM_KEY CmpAtPath(PCUNICODE_STRING Path, BOOLEAN Create, ULONG Depth)
{
    PCM_KEY Key = CmpRoot;
    ULONG n = Path->Length / sizeof(WCHAR), At = 0;
    while (At < n) {
        ULONG Start = At;
        while (At < n && Path->Buffer[At] != L'\\')
            At++;
        UNICODE_STRING Name = {(USHORT)((At - Start) * sizeof(WCHAR)), (USHORT)((At - Start) * sizeof(WCHAR)),
                               Path->Buffer + Start};
        At++;
        if (!Name.Length)
            continue;
        PCM_KEY Child = CmpFindKey(Key, &Name, NULL);
        if (!Child) {
            if (!Create || Name.Length > CM_NAME_MOST || CmpDepth(Key) >= CM_DEPTH_MOST)
                return NULL;
            Child = CmpMakeKey(Key, &Name, NULL);
            if (Key->Flags & CM_FIXED) { /* a hive of its own */
                Child->Flags = (Child->Flags & ~CM_VOLATILE) | CM_HIVE;
            }
            CmpNotify(Key, REG_NOTIFY_CHANGE_NAME);
        }
        Key = CmpBehindLink(Child, Depth);
        if (!Key)
            return NULL;
    }
    return Key;
}

static PCM_KEY CmpBehindLink(PCM_KEY Key, ULONG Depth)
{
    static const UNICODE_STRING Prefix = RTL_CONSTANT_STRING(L"\\REGISTRY\\");
    if (!(Key->Flags & CM_LINK))
        return Key;
    PCM_VALUE Value = CmpFindValue(Key, &CmpLinkValue, NULL);
    if (!Value || Value->Type != REG_LINK || Value->Bytes > 0xfffc || Depth > 16)
        return NULL;
    UNICODE_STRING Target = {(USHORT)(Value->Bytes & ~1u), (USHORT)(Value->Bytes & ~1u), Value->Data};
    if (!RtlPrefixUnicodeString(&Prefix, &Target, TRUE))
        return NULL;
    Target.Buffer += Prefix.Length / sizeof(WCHAR);
    Target.Length -= Prefix.Length;
    return CmpAtPath(&Target, FALSE, Depth + 1);
}

/* ---- Operations -------------------------------------------------------------------------------------------------- */

static NTSTATUS CmpDeleteTree(PCM_KEY Key)
{
    PCM_KEY Parent = Key->Parent;
    if (!Parent || (Key->Flags & CM_FIXED))
        return STATUS_CANNOT_DELETE;
    CmpReferenceKey(Parent);
    CmpUnlinkKey(Key);
    CmpNotify(Parent, REG_NOTIFY_CHANGE_NAME);
    CmpDereferenceKey(Parent);
    return STATUS_SUCCESS;
}

static NTSTATUS CmpListKey(PCM_KEY Key)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PCM_KEY Child;
    PCM_VALUE Value;
    for (ULONG i = 0; NT_SUCCESS(Status) && (Child = CmpNthKey(Key, i, NULL)); i++)
        Status = CmpTell(DOOR_REGISTRY_CREATE, &Child->Name, NULL, 0, NULL, 0);
    for (ULONG i = 0; NT_SUCCESS(Status) && (Value = CmpNthValue(Key, i, NULL)); i++)
        Status = CmpTell(DOOR_REGISTRY_SET, NULL, &Value->Name, Value->Type, Value->Data, Value->Bytes);
    return Status;
}

/* A key and its values, unless it is volatile; MACHINE, USER and the root are, but what is below them is not. */
static NTSTATUS CmpExportKey(PCM_KEY Key, PVOID Context)
{
    PCM_VALUE Value;
    ULONG Bytes = CmpPathOf(Key, NULL), Cut = CmpRoot->Name.Length + 2 * sizeof(WCHAR); /* "\REGISTRY\" */
    if (Key->Flags & CM_FIXED)
        return STATUS_SUCCESS;
    if ((Key->Flags & CM_VOLATILE) || !CmpSees(&Key->Mark, NULL) || Bytes >= 0xfffe)
        return STATUS_NO_MORE_ENTRIES;
    PWSTR Path = ExpAllocate(Bytes, CM_TAG);
    CmpPathOf(Key, Path);
    UNICODE_STRING Name = {(USHORT)(Bytes - Cut), (USHORT)(Bytes - Cut), (PWSTR)((PUCHAR)Path + Cut)};
    NTSTATUS Status = CmpTell(DOOR_REGISTRY_CREATE, &Name, NULL, 0, NULL, 0);
    for (ULONG i = 0; NT_SUCCESS(Status) && (Value = CmpNthValue(Key, i, NULL)); i++)
        Status = CmpTell(DOOR_REGISTRY_SET, &Name, &Value->Name, Value->Type, Value->Data, Value->Bytes);
    ExpFree(Path);
    return Status;
}

static NTSTATUS CmpSetByHost(PCM_KEY Key, PCUNICODE_STRING Name, const struct door_registry *Record, PUCHAR Data)
{
    if (Name->Length > CM_VALUE_NAME_MOST)
        return STATUS_INVALID_PARAMETER;
    if (Record->type == REG_LINK && RtlEqualUnicodeString(Name, &CmpLinkValue, TRUE))
        Key->Flags |= CM_LINK;
    NTSTATUS Status = CmpOwn(Key, NULL);
    if (NT_SUCCESS(Status))
        Status = CmpSetValue(Key, Name, Record->type, Data, Record->data_bytes);
    if (NT_SUCCESS(Status))
        CmpNotify(Key, REG_NOTIFY_CHANGE_LAST_SET);
    return Status;
}

static NTSTATUS CmpDeleteByHost(PCM_KEY Key, PCUNICODE_STRING Name)
{
    PCM_VALUE Value;
    NTSTATUS Status = CmpOwn(Key, NULL);
    if (!NT_SUCCESS(Status) || !(Value = CmpFindValue(Key, Name, NULL)))
        return NT_SUCCESS(Status) ? STATUS_OBJECT_NAME_NOT_FOUND : Status;
    CmpRemoveValue(Value);
    CmpNotify(Key, REG_NOTIFY_CHANGE_LAST_SET);
    return STATUS_SUCCESS;
}

/* A hive's file goes over what is there. */
static NTSTATUS CmpLoadByHost(PCM_KEY Key, PUCHAR Image, ULONG Bytes)
{
    PCM_KEY Top;
    NTSTATUS Status = CmpReadHive(Image, Bytes, CM_DEPTH_MOST + 1 - CmpDepth(Key), FALSE, &Top);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CmpMergeTree(Key, Top);
    CmpNotify(Key, REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET);
    return Status;
}

/* The answer is the file, and nothing else. */
static NTSTATUS CmpSaveByHost(PCM_KEY Key)
{
    if (Key->Flags & CM_FIXED) /* several hives */
        return STATUS_ACCESS_DENIED;
    CmpDrop(&CmpAnswer, &CmpAnswerBytes, &CmpAnswerRoom);
    NTSTATUS Status = CmpWriteHive(Key, TRUE, &CmpAnswer, &CmpAnswerBytes);
    CmpAnswerRoom = CmpAnswerBytes;
    return Status;
}

static NTSTATUS CmpOperate(const struct door_registry *Record, PCUNICODE_STRING Path, PCUNICODE_STRING Name,
                           PUCHAR Data)
{
    BOOLEAN Create =
        Record->op == DOOR_REGISTRY_SET || Record->op == DOOR_REGISTRY_CREATE || Record->op == DOOR_REGISTRY_LOAD;
    if (Record->op == DOOR_REGISTRY_COUNTERS) /* as HKEY_PERFORMANCE_DATA is no part of the tree */
        return PcwpCollect(Path, Name, Record->type, CmpTell);
    PCM_KEY Key = CmpAtPath(Path, Create, 0);
    PCM_VALUE Value;
    if (!Key)
        return Create ? STATUS_OBJECT_NAME_INVALID : STATUS_OBJECT_NAME_NOT_FOUND;
    switch (Record->op) {
    case DOOR_REGISTRY_CREATE:
        return STATUS_SUCCESS;
    case DOOR_REGISTRY_SET:
        return CmpSetByHost(Key, Name, Record, Data);
    case DOOR_REGISTRY_DELETE_VALUE:
        return CmpDeleteByHost(Key, Name);
    case DOOR_REGISTRY_DELETE_KEY:
        return CmpDeleteTree(Key);
    case DOOR_REGISTRY_GET:
        Value = CmpFindValue(Key, Name, NULL);
        return Value ? CmpTell(DOOR_REGISTRY_SET, NULL, &Value->Name, Value->Type, Value->Data, Value->Bytes)
                     : STATUS_OBJECT_NAME_NOT_FOUND;
    case DOOR_REGISTRY_LIST:
        return CmpListKey(Key);
    case DOOR_REGISTRY_EXPORT:
        return CmpWalkTree(Key, CmpExportKey, NULL);
    case DOOR_REGISTRY_LOAD:
        return CmpLoadByHost(Key, Data, Record->data_bytes);
    case DOOR_REGISTRY_SAVE:
        return CmpSaveByHost(Key);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

/* All records in order, up to the first that fails. */
static NTSTATUS CmpCarryOut(VOID)
{
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG At = 0; NT_SUCCESS(Status) && At < CmpRequestBytes;) {
        struct door_registry Record;
        ULONG Left = CmpRequestBytes - At;
        if (Left < sizeof(Record))
            return STATUS_INVALID_PARAMETER;
        RtlCopyMemory(&Record, CmpRequest + At, sizeof(Record));
        ULONG64 Need = sizeof(Record) + (ULONG64)Record.key_bytes + Record.name_bytes + Record.data_bytes;
        if (Need > Left || (Record.key_bytes & 1) || (Record.name_bytes & 1))
            return STATUS_INVALID_PARAMETER;
        PUCHAR Key = CmpRequest + At + sizeof(Record), Name = Key + Record.key_bytes, Data = Name + Record.name_bytes;
        UNICODE_STRING KeyText = {Record.key_bytes, Record.key_bytes, (PWSTR)Key};
        UNICODE_STRING NameText = {Record.name_bytes, Record.name_bytes, (PWSTR)Name};
        Status = CmpOperate(&Record, &KeyText, &NameText, Data);
        At += (ULONG)min((Need + 7) & ~7ull, Left);
    }
    return Status;
}

/* ---- Commands
 * -------------------------------------------------------------------------------------------------------------------
 */

/* A part of a request; with the last one it is carried out, and value is the answer's length. */
static VOID CmpTakePart(struct door_command *Command)
{
    ULONG Bytes = (ULONG)(Command->value & 0xffff);
    if (Bytes > sizeof(Command->text) ||
        !CmpAppend(&CmpRequest, &CmpRequestBytes, &CmpRequestRoom, Command->text, Bytes)) {
        CmpDrop(&CmpRequest, &CmpRequestBytes, &CmpRequestRoom);
        Command->status = STATUS_INVALID_PARAMETER;
        return;
    }
    Command->status = STATUS_SUCCESS;
    if (!(Command->value & DOOR_REGISTRY_LAST))
        return;
    CmpDrop(&CmpAnswer, &CmpAnswerBytes, &CmpAnswerRoom);
    Command->status = CmpCarryOut();
    Command->value = CmpAnswerBytes;
    CmpDrop(&CmpRequest, &CmpRequestBytes, &CmpRequestRoom);
}

/* A part of the answer, from value on. */
static VOID CmpGivePart(struct door_command *Command)
{
    ULONG From = (ULONG)min(Command->value, CmpAnswerBytes), Bytes = min(sizeof(Command->text), CmpAnswerBytes - From);
    RtlCopyMemory(Command->text, CmpAnswer + From, Bytes);
    Command->value = Bytes;
    Command->status = STATUS_SUCCESS;
}

VOID CmpCommand(struct door_command *Command)
{
    if (Command->code == DOOR_COMMAND_REGISTRY)
        CmpTakePart(Command);
    else
        CmpGivePart(Command);
}
