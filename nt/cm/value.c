/*
 * Services on values, and the questions about keys (docs: ZwSetValueKey, ZwQueryValueKey, ZwEnumerateValueKey,
 * ZwQueryKey, ZwEnumerateKey, ZwQueryMultipleValueKey).
 *
 * Each one has the same frame: the key object by its handle, the registry callbacks before, the operation, the
 * callbacks after.
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

static NTSTATUS CmpSet(PCM_KEY_BODY Body, PCUNICODE_STRING Name, ULONG Type, PVOID Data, ULONG Bytes)
{
    if (!Name)
        Name = &CmpNoName;
    while (Name->Length == 2 && Name->Buffer[0] == 0) /* a name of one terminator is the default value's */
        Name = &CmpNoName;
    if (Name->Length & 1)
        return STATUS_OBJECT_NAME_INVALID;
    if (Name->Length > CM_VALUE_NAME_MOST)
        return STATUS_INVALID_PARAMETER;
    if (Bytes > 0x7fffffff)
        return STATUS_INSUFFICIENT_RESOURCES;
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
    PCM_KEY_BODY Body;
    NTSTATUS Status = CmpReferenceBody(Handle, KEY_SET_VALUE, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_SET_VALUE_KEY_INFORMATION Information = {
        .Object = Body, .ValueName = Name, .TitleIndex = TitleIndex, .Type = Type, .Data = Data, .DataSize = Bytes};
    CM_CALL Call = CM_CALL_OF(RegNtPreSetValueKey, RegNtPostSetValueKey, Information);
    if (CmpBefore(&Call, &Status))
        Status = CmpSet(Body, Name, Type, Data, Bytes);
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

static NTSTATUS CmpDeleteValue(PCM_KEY_BODY Body, PCUNICODE_STRING Name)
{
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
    PCM_KEY_BODY Body;
    NTSTATUS Status = CmpReferenceBody(Handle, KEY_SET_VALUE, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_DELETE_VALUE_KEY_INFORMATION Information = {.Object = Body, .ValueName = Name};
    CM_CALL Call = CM_CALL_OF(RegNtPreDeleteValueKey, RegNtPostDeleteValueKey, Information);
    if (CmpBefore(&Call, &Status))
        Status = CmpDeleteValue(Body, Name);
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

/* ---- Values asked for -------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtQueryValueKey(HANDLE Handle, PUNICODE_STRING Name, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                               ULONG Room, PULONG Returned)
{
    PCM_KEY_BODY Body;
    NTSTATUS Status = CmpReferenceBody(Handle, KEY_QUERY_VALUE, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_QUERY_VALUE_KEY_INFORMATION Information = {.Object = Body,
                                                   .ValueName = Name,
                                                   .KeyValueInformationClass = Class,
                                                   .KeyValueInformation = Buffer,
                                                   .Length = Room,
                                                   .ResultLength = Returned};
    CM_CALL Call = CM_CALL_OF(RegNtPreQueryValueKey, RegNtPostQueryValueKey, Information);
    if (CmpBefore(&Call, &Status) && NT_SUCCESS(Status = CmpMayRead(Body))) {
        PCM_VALUE Value = CmpFindValue(Body->Key, Name ? Name : &CmpNoName, Body->Transaction);
        Status = Value ? CmpFillValue(Value, Class, Buffer, Room, Returned) : STATUS_OBJECT_NAME_NOT_FOUND;
    }
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtEnumerateValueKey(HANDLE Handle, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                                   ULONG Room, PULONG Returned)
{
    PCM_KEY_BODY Body;
    NTSTATUS Status = CmpReferenceBody(Handle, KEY_QUERY_VALUE, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_ENUMERATE_VALUE_KEY_INFORMATION Information = {.Object = Body,
                                                       .Index = Index,
                                                       .KeyValueInformationClass = Class,
                                                       .KeyValueInformation = Buffer,
                                                       .Length = Room,
                                                       .ResultLength = Returned};
    CM_CALL Call = CM_CALL_OF(RegNtPreEnumerateValueKey, RegNtPostEnumerateValueKey, Information);
    if (CmpBefore(&Call, &Status) && NT_SUCCESS(Status = CmpMayRead(Body))) {
        PCM_VALUE Value = CmpNthValue(Body->Key, Index, Body->Transaction);
        Status = Value ? CmpFillValue(Value, Class, Buffer, Room, Returned) : STATUS_NO_MORE_ENTRIES;
    }
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

/* docs: ZwQueryMultipleValueKey: data one behind the other, aligned; what does not fit is counted. */
static NTSTATUS CmpQueryMultiple(PCM_KEY_BODY Body, PKEY_VALUE_ENTRY Entries, ULONG Count, PVOID Buffer, PULONG Room,
                                 PULONG Needed)
{
    ULONG64 Used = 0, Need = 0;
    NTSTATUS Status = CmpMayRead(Body);
    BOOLEAN Full = FALSE;
    for (ULONG i = 0; i < Count && NT_SUCCESS(Status); i++) {
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
    PCM_KEY_BODY Body;
    if (Count > 0x10000)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS Status = CmpReferenceBody(Handle, KEY_QUERY_VALUE, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_QUERY_MULTIPLE_VALUE_KEY_INFORMATION Information = {.Object = Body,
                                                            .ValueEntries = Entries,
                                                            .EntryCount = Count,
                                                            .ValueBuffer = Buffer,
                                                            .BufferLength = Room,
                                                            .RequiredBufferLength = Needed};
    CM_CALL Call = CM_CALL_OF(RegNtPreQueryMultipleValueKey, RegNtPostQueryMultipleValueKey, Information);
    if (CmpBefore(&Call, &Status))
        Status = CmpQueryMultiple(Body, Entries, Count, Buffer, Room, Needed);
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

/* ---- Keys asked for ---------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtEnumerateKey(HANDLE Handle, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Room,
                              PULONG Returned)
{
    PCM_KEY_BODY Body;
    NTSTATUS Status = CmpReferenceBody(Handle, KEY_ENUMERATE_SUB_KEYS, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_ENUMERATE_KEY_INFORMATION Information = {.Object = Body,
                                                 .Index = Index,
                                                 .KeyInformationClass = Class,
                                                 .KeyInformation = Buffer,
                                                 .Length = Room,
                                                 .ResultLength = Returned};
    CM_CALL Call = CM_CALL_OF(RegNtPreEnumerateKey, RegNtPostEnumerateKey, Information);
    if (CmpBefore(&Call, &Status) && NT_SUCCESS(Status = CmpMayRead(Body))) {
        PCM_KEY Child = CmpNthKey(Body->Key, Index, Body->Transaction);
        Status = Child ? CmpFillKey(Child, Body->Transaction, Class, Buffer, Room, Returned) : STATUS_NO_MORE_ENTRIES;
    }
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

static NTSTATUS CmpQuery(PCM_KEY_BODY Body, ULONG Class, PVOID Buffer, ULONG Room, PULONG Returned)
{
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Class != KeyHandleTagsInformation)
        return CmpFillKey(Body->Key, Body->Transaction, Class, Buffer, Room, Returned);
    *Returned = sizeof(ULONG);
    if (Room < sizeof(ULONG))
        return STATUS_BUFFER_TOO_SMALL;
    *(PULONG)Buffer = Body->HandleTags;
    return STATUS_SUCCESS;
}

/* docs: ZwQueryKey: KeyNameInformation and KeyHandleTagsInformation want no right. */
NTSTATUS NTAPI NtQueryKey(HANDLE Handle, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Room, PULONG Returned)
{
    PCM_KEY_BODY Body;
    BOOLEAN Free = Class == KeyNameInformation || Class == KeyHandleTagsInformation;
    NTSTATUS Status = CmpReferenceBody(Handle, Free ? 0 : KEY_QUERY_VALUE, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_QUERY_KEY_INFORMATION Information = {.Object = Body,
                                             .KeyInformationClass = Class,
                                             .KeyInformation = Buffer,
                                             .Length = Room,
                                             .ResultLength = Returned};
    CM_CALL Call = CM_CALL_OF(RegNtPreQueryKey, RegNtPostQueryKey, Information);
    if (CmpBefore(&Call, &Status))
        Status = CmpQuery(Body, Class, Buffer, Room, Returned);
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}
