/*
 * What the query and enumeration services answer (docs: KEY_INFORMATION_CLASS, KEY_VALUE_INFORMATION_CLASS and the
 * structures named there).
 *
 * docs: ZwQueryValueKey, ZwQueryKey: less room than the fixed part is STATUS_BUFFER_TOO_SMALL and nothing is written;
 * less than all of it is STATUS_BUFFER_OVERFLOW, and what fits is there. The length needed is told in both cases.
 */
#include "nt.h"
#include "cm/cmp.h"

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

/* Null pointers where an answer is to go: what Windows' services catch. */
static BOOLEAN CmpIsBadReply(PVOID Buffer, ULONG Room, PULONG Returned)
{
    return !Returned || (Room && !Buffer);
}

NTSTATUS CmpFillValue(PCM_VALUE Value, ULONG Class, PVOID Buffer, ULONG Room, PULONG Returned)
{
    CM_REPLY Reply = {.Buffer = Buffer, .Room = Room};
    if (CmpIsBadReply(Buffer, Room, Returned))
        return STATUS_ACCESS_VIOLATION;
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

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

/* What KeyFullInformation and KeyCachedInformation tell of a key. While a transaction's marks are in it, sizes of what
 * is not seen count as well: they are upper bounds. */
typedef struct _CM_SUMS {
    ULONG SubKeys, MaxNameLen, MaxClassLen, Values, MaxValueNameLen, MaxValueDataLen;
} CM_SUMS;

static CM_SUMS CmpSums(PCM_KEY Key, struct _CM_TRANSACTION *Transaction)
{
    CM_SUMS Sums = {.SubKeys = CmpKeyCount(Key, Transaction), .Values = CmpValueCount(Key, Transaction)};
    if (Key->Children) {
        Sums.MaxNameLen = Key->Children->Most[0];
        Sums.MaxClassLen = Key->Children->Most[1];
    }
    if (Key->Values) {
        Sums.MaxValueNameLen = Key->Values->Most[0];
        Sums.MaxValueDataLen = Key->Values->Most[1];
    }
    return Sums;
}

typedef struct _CM_CACHED_INFORMATION { /* KEY_CACHED_INFORMATION: known from the public headers of its clients */
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex, SubKeys, MaxNameLen, Values, MaxValueNameLen, MaxValueDataLen, NameLength, Spare;
} CM_CACHED_INFORMATION;

static VOID CmpPutNode(PCM_REPLY Reply, PCM_KEY Key)
{
    KEY_NODE_INFORMATION Node = {.LastWriteTime = Key->WriteTime,
                                 .ClassOffset = (ULONG)-1,
                                 .ClassLength = Key->Class.Length,
                                 .NameLength = Key->Name.Length};
    Reply->Fixed = FIELD_OFFSET(KEY_NODE_INFORMATION, Name);
    ULONG At = (Reply->Fixed + Key->Name.Length + 3) & ~3u;
    if (Key->Class.Length)
        Node.ClassOffset = At;
    CmpPut(Reply, 0, &Node, Reply->Fixed);
    CmpPut(Reply, Reply->Fixed, Key->Name.Buffer, Key->Name.Length);
    if (Key->Class.Length)
        CmpPut(Reply, At, Key->Class.Buffer, Key->Class.Length);
}

static VOID CmpPutFull(PCM_REPLY Reply, PCM_KEY Key, struct _CM_TRANSACTION *Transaction)
{
    CM_SUMS Sums = CmpSums(Key, Transaction);
    KEY_FULL_INFORMATION Full = {.LastWriteTime = Key->WriteTime,
                                 .ClassOffset = (ULONG)-1,
                                 .ClassLength = Key->Class.Length,
                                 .SubKeys = Sums.SubKeys,
                                 .Values = Sums.Values,
                                 .MaxNameLen = Sums.MaxNameLen,
                                 .MaxClassLen = Sums.MaxClassLen,
                                 .MaxValueNameLen = Sums.MaxValueNameLen,
                                 .MaxValueDataLen = Sums.MaxValueDataLen};
    Reply->Fixed = FIELD_OFFSET(KEY_FULL_INFORMATION, Class);
    if (Key->Class.Length)
        Full.ClassOffset = Reply->Fixed;
    CmpPut(Reply, 0, &Full, Reply->Fixed);
    CmpPut(Reply, Reply->Fixed, Key->Class.Buffer, Key->Class.Length);
}

static VOID CmpPutPath(PCM_REPLY Reply, PCM_KEY Key)
{
    ULONG Bytes = CmpPathOf(Key, NULL);
    PWSTR Path = ExpAllocate(Bytes, CM_TAG);
    CmpPathOf(Key, Path);
    Reply->Fixed = sizeof(ULONG);
    CmpPut(Reply, 0, &Bytes, sizeof(Bytes));
    CmpPut(Reply, Reply->Fixed, Path, Bytes);
    ExpFree(Path);
}

static VOID CmpPutWords(PCM_REPLY Reply, const VOID *Words, ULONG Bytes)
{
    Reply->Fixed = Bytes;
    CmpPut(Reply, 0, Words, Bytes);
}

NTSTATUS CmpFillWords(const VOID *Words, ULONG Bytes, PVOID Buffer, ULONG Room, PULONG Returned)
{
    CM_REPLY Reply = {.Buffer = Buffer, .Room = Room};
    if (CmpIsBadReply(Buffer, Room, Returned))
        return STATUS_ACCESS_VIOLATION;
    CmpPutWords(&Reply, Words, Bytes);
    return CmpEndReply(&Reply, Returned);
}

NTSTATUS CmpFillKey(PCM_KEY Key, struct _CM_TRANSACTION *Transaction, ULONG Class, PVOID Buffer, ULONG Room,
                    PULONG Returned)
{
    CM_REPLY Reply = {.Buffer = Buffer, .Room = Room};
    if (CmpIsBadReply(Buffer, Room, Returned))
        return STATUS_ACCESS_VIOLATION;
    KEY_BASIC_INFORMATION Basic = {.LastWriteTime = Key->WriteTime, .NameLength = Key->Name.Length};
    CM_SUMS Sums;
    switch (Class) {
    case KeyBasicInformation:
        Reply.Fixed = FIELD_OFFSET(KEY_BASIC_INFORMATION, Name);
        CmpPut(&Reply, 0, &Basic, Reply.Fixed);
        CmpPut(&Reply, Reply.Fixed, Key->Name.Buffer, Key->Name.Length);
        break;
    case KeyNodeInformation:
        CmpPutNode(&Reply, Key);
        break;
    case KeyFullInformation:
        CmpPutFull(&Reply, Key, Transaction);
        break;
    case KeyNameInformation:
        CmpPutPath(&Reply, Key);
        break;
    case KeyCachedInformation:
        Sums = CmpSums(Key, Transaction);
        CM_CACHED_INFORMATION Cached = {.LastWriteTime = Key->WriteTime,
                                        .SubKeys = Sums.SubKeys,
                                        .MaxNameLen = Sums.MaxNameLen,
                                        .Values = Sums.Values,
                                        .MaxValueNameLen = Sums.MaxValueNameLen,
                                        .MaxValueDataLen = Sums.MaxValueDataLen,
                                        .NameLength = Key->Name.Length};
        CmpPutWords(&Reply, &Cached, sizeof(Cached));
        break;
    case KeyFlagsInformation: {
        ULONG Flags[] = {Key->UserFlags, (Key->Flags & CM_VOLATILE ? 1 : 0) | (Key->Flags & CM_LINK ? 2 : 0),
                         Key->ControlFlags};
        CmpPutWords(&Reply, Flags, sizeof(Flags));
        break;
    }
    case KeyVirtualizationInformation:
        CmpPutWords(&Reply, &Key->Virtualization, sizeof(ULONG));
        break;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    return CmpEndReply(&Reply, Returned);
}
