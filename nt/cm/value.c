/*
 * Services on values, and the questions about keys (docs: ZwSetValueKey, ZwQueryValueKey, ZwEnumerateValueKey,
 * ZwQueryKey, ZwEnumerateKey, ZwQueryMultipleValueKey).
 *
 * Each has its operation; the frame around it, with the registry callbacks, is CmpRun.
 */
#include "nt.h"
#include "cm/cmp.h"

static const UNICODE_STRING CmpNoName;

/* ---- Setting and deleting ---------------------------------------------------------------------------------------- */

/* In a transaction the value there was stays for the others, and a new one stands beside it. */
static NTSTATUS CmpSetInTransaction(PCM_KEY Key, PCUNICODE_STRING Name, ULONG Type, PVOID Data, ULONG Bytes,
                                    struct _CM_TRANSACTION *Transaction)
{
    PCM_VALUE Value = CmpFindValue(Key, Name, Transaction);
    PCM_VALUE New = CmpMakeValue(Key, Name, Type, Data, Bytes);
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Value && Value->Mark.CreatedBy) {
        CmpForget(&Value->Mark, Key);
        CmpRemoveValue(Value);
    } else if (Value)
        CmpMarkDeleted(Key, &Value->Mark, Transaction);
    CmpMarkCreated(Key, &New->Mark, Transaction);
    return STATUS_SUCCESS;
}

static NTSTATUS CmpSet(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_SET_VALUE_KEY_INFORMATION Asked = Context;
    PCUNICODE_STRING Name = Asked->ValueName ? Asked->ValueName : &CmpNoName;
    ULONG Type = Asked->Type, Bytes = Asked->DataSize;
    PVOID Data = Asked->Data;
    while (Name->Length == 2 && Name->Buffer[0] == 0) /* a name of one terminator is the default value's */
        Name = &CmpNoName;
    if (Name->Length & 1)
        return STATUS_OBJECT_NAME_INVALID;
    if (Name->Length > CM_VALUE_NAME_MOST)
        return STATUS_INVALID_PARAMETER;
    if (Bytes > 0x7fffffff)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Bytes && !Data)
        return STATUS_ACCESS_VIOLATION;
    NTSTATUS Status = CmpMayWrite(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Body->Transaction)
        return CmpSetInTransaction(Body->Key, Name, Type, Data, Bytes, Body->Transaction);
    Status = CmpSetValue(Body->Key, Name, Type, Data, Bytes);
    if (NT_SUCCESS(Status))
        CmpNotify(Body->Key, REG_NOTIFY_CHANGE_LAST_SET);
    return Status;
}

NTSTATUS NTAPI NtSetValueKey(HANDLE Handle, PUNICODE_STRING Name, ULONG TitleIndex, ULONG Type, PVOID Data, ULONG Bytes)
{
    REG_SET_VALUE_KEY_INFORMATION Information = {
        .ValueName = Name, .TitleIndex = TitleIndex, .Type = Type, .Data = Data, .DataSize = Bytes};
    return CmpRun(Handle, KEY_SET_VALUE, SetValueKey, Information, CmpSet);
}

static NTSTATUS CmpDeleteValue(PCM_KEY_BODY Body, PVOID Asked)
{
    PCUNICODE_STRING Name = ((PREG_DELETE_VALUE_KEY_INFORMATION)Asked)->ValueName;
    NTSTATUS Status = CmpMayWrite(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_VALUE Value = CmpFindValue(Body->Key, Name ? Name : &CmpNoName, Body->Transaction);
    if (!Value)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (Body->Transaction && !Value->Mark.CreatedBy) {
        CmpMarkDeleted(Body->Key, &Value->Mark, Body->Transaction);
        return STATUS_SUCCESS;
    }
    CmpForget(&Value->Mark, Body->Key);
    CmpRemoveValue(Value);
    if (!Body->Transaction)
        CmpNotify(Body->Key, REG_NOTIFY_CHANGE_LAST_SET);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtDeleteValueKey(HANDLE Handle, PUNICODE_STRING Name)
{
    REG_DELETE_VALUE_KEY_INFORMATION Information = {.ValueName = Name};
    return CmpRun(Handle, KEY_SET_VALUE, DeleteValueKey, Information, CmpDeleteValue);
}

/* ---- Values asked for -------------------------------------------------------------------------------------------- */

static NTSTATUS CmpQueryValue(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_QUERY_VALUE_KEY_INFORMATION Asked = Context;
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_VALUE Value = CmpFindValue(Body->Key, Asked->ValueName ? Asked->ValueName : &CmpNoName, Body->Transaction);
    return Value ? CmpFillValue(Value, Asked->KeyValueInformationClass, Asked->KeyValueInformation, Asked->Length,
                                Asked->ResultLength)
                 : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS NTAPI NtQueryValueKey(HANDLE Handle, PUNICODE_STRING Name, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                               ULONG Room, PULONG Returned)
{
    REG_QUERY_VALUE_KEY_INFORMATION Information = {.ValueName = Name,
                                                   .KeyValueInformationClass = Class,
                                                   .KeyValueInformation = Buffer,
                                                   .Length = Room,
                                                   .ResultLength = Returned};
    return CmpRun(Handle, KEY_QUERY_VALUE, QueryValueKey, Information, CmpQueryValue);
}

static NTSTATUS CmpEnumerateValue(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_ENUMERATE_VALUE_KEY_INFORMATION Asked = Context;
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_VALUE Value = CmpNthValue(Body->Key, Asked->Index, Body->Transaction);
    return Value ? CmpFillValue(Value, Asked->KeyValueInformationClass, Asked->KeyValueInformation, Asked->Length,
                                Asked->ResultLength)
                 : STATUS_NO_MORE_ENTRIES;
}

NTSTATUS NTAPI NtEnumerateValueKey(HANDLE Handle, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                                   ULONG Room, PULONG Returned)
{
    REG_ENUMERATE_VALUE_KEY_INFORMATION Information = {.Index = Index,
                                                       .KeyValueInformationClass = Class,
                                                       .KeyValueInformation = Buffer,
                                                       .Length = Room,
                                                       .ResultLength = Returned};
    return CmpRun(Handle, KEY_QUERY_VALUE, EnumerateValueKey, Information, CmpEnumerateValue);
}

/* docs: ZwQueryMultipleValueKey: data one behind the other, aligned; what does not fit is counted. */
static NTSTATUS CmpQueryMultiple(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_QUERY_MULTIPLE_VALUE_KEY_INFORMATION Asked = Context;
    PKEY_VALUE_ENTRY Entries = Asked->ValueEntries;
    PVOID Buffer = Asked->ValueBuffer;
    PULONG Room = Asked->BufferLength, Needed = Asked->RequiredBufferLength;
    ULONG64 Used = 0, Need = 0;
    NTSTATUS Status = CmpMayRead(Body);
    BOOLEAN Full = FALSE;
    for (ULONG i = 0; i < Asked->EntryCount && NT_SUCCESS(Status); i++) {
        PCM_VALUE Value = CmpFindValue(Body->Key, Entries[i].ValueName, Body->Transaction);
        if (!Value)
            return STATUS_OBJECT_NAME_NOT_FOUND;
        Need = (Need + 3) & ~3ull;
        Full |= Need + Value->Bytes > *Room;
        if (!Full) {
            RtlCopyMemory((PUCHAR)Buffer + Need, Value->Data, Value->Bytes);
            Entries[i].DataOffset = (ULONG)Need;
            Entries[i].DataLength = Value->Bytes;
            Entries[i].Type = Value->Type;
            Used = Need + Value->Bytes;
        }
        Need += Value->Bytes;
    }
    if (!NT_SUCCESS(Status))
        return Status;
    *Room = (ULONG)Used;
    if (Needed)
        *Needed = (ULONG)Need;
    return Full ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQueryMultipleValueKey(HANDLE Handle, PKEY_VALUE_ENTRY Entries, ULONG Count, PVOID Buffer, PULONG Room,
                                       PULONG Needed)
{
    REG_QUERY_MULTIPLE_VALUE_KEY_INFORMATION Information = {.ValueEntries = Entries,
                                                            .EntryCount = Count,
                                                            .ValueBuffer = Buffer,
                                                            .BufferLength = Room,
                                                            .RequiredBufferLength = Needed};
    if (Count > 0x10000)
        return STATUS_INSUFFICIENT_RESOURCES;
    return CmpRun(Handle, KEY_QUERY_VALUE, QueryMultipleValueKey, Information, CmpQueryMultiple);
}

/* ---- Keys asked for ---------------------------------------------------------------------------------------------- */

static NTSTATUS CmpEnumerate(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_ENUMERATE_KEY_INFORMATION Asked = Context;
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_KEY Child = CmpNthKey(Body->Key, Asked->Index, Body->Transaction);
    return Child ? CmpFillKey(Child, Body->Transaction, Asked->KeyInformationClass, Asked->KeyInformation,
                              Asked->Length, Asked->ResultLength)
                 : STATUS_NO_MORE_ENTRIES;
}

NTSTATUS NTAPI NtEnumerateKey(HANDLE Handle, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Room,
                              PULONG Returned)
{
    REG_ENUMERATE_KEY_INFORMATION Information = {.Index = Index,
                                                 .KeyInformationClass = Class,
                                                 .KeyInformation = Buffer,
                                                 .Length = Room,
                                                 .ResultLength = Returned};
    return CmpRun(Handle, KEY_ENUMERATE_SUB_KEYS, EnumerateKey, Information, CmpEnumerate);
}

static NTSTATUS CmpQuery(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_QUERY_KEY_INFORMATION Asked = Context;
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Asked->KeyInformationClass == KeyHandleTagsInformation)
        return CmpFillWords(&Body->HandleTags, sizeof(ULONG), Asked->KeyInformation, Asked->Length,
                            Asked->ResultLength);
    return CmpFillKey(Body->Key, Body->Transaction, Asked->KeyInformationClass, Asked->KeyInformation, Asked->Length,
                      Asked->ResultLength);
}

/* docs: ZwQueryKey: KeyNameInformation and KeyHandleTagsInformation want no right. */
NTSTATUS NTAPI NtQueryKey(HANDLE Handle, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Room, PULONG Returned)
{
    BOOLEAN Free = Class == KeyNameInformation || Class == KeyHandleTagsInformation;
    REG_QUERY_KEY_INFORMATION Information = {
        .KeyInformationClass = Class, .KeyInformation = Buffer, .Length = Room, .ResultLength = Returned};
    return CmpRun(Handle, Free ? 0 : KEY_QUERY_VALUE, QueryKey, Information, CmpQuery);
}
