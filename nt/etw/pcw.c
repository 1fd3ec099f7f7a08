/*
 * Performance counters of drivers. (docs: PcwRegister, PcwCreateInstance, PCW_CALLBACK, PCW_MASK_INFORMATION)
 *
 * A provider registers a counter set: where in its blocks of data each counter lies. Instances are made once and read where
 * they lie (PcwCreateInstance), or told each time by its callback (PcwAddInstance). The operator is the consumer: he asks
 * for all counters of a set, as a monitor would that begins, asks once and ends.
 */
#include "nt.h"

#define PCWP_TAG 'wcP '
#define PCWP_COUNTERS_MOST 0xffff

struct _PCW_REGISTRATION {
    LIST_ENTRY Entry;
    LIST_ENTRY Instances;
    UNICODE_STRING Name;
    PPCW_CALLBACK Callback;
    PVOID Context;
    ULONG Stack, References; /* itself, while it is registered, and each instance */
    ULONG Count;
    PCW_COUNTER_DESCRIPTOR Counter[];
};

struct _PCW_INSTANCE {
    LIST_ENTRY Entry;
    PPCW_REGISTRATION Set;
    UNICODE_STRING Name;
    ULONG Id, Count;
    PCW_DATA Data[];
};

/* What a callback adds to. */
struct _PCW_BUFFER {
    PPCW_REGISTRATION Set;
    PCW_MASK_INFORMATION *Mask;
    PCWP_TELL Tell;
    BOOLEAN Values;
};

static LIST_ENTRY PcwpSets = {&PcwpSets, &PcwpSets};

/* ---- Counter sets ------------------------------------------------------------------------------------------------ */

static VOID PcwpCopyName(PUNICODE_STRING To, PWCH Room, PCUNICODE_STRING From)
{
    *To = (UNICODE_STRING){From->Length, From->Length, Room};
    RtlCopyMemory(Room, From->Buffer, From->Length);
}

static VOID PcwpLetGo(PPCW_REGISTRATION Set)
{
    if (!--Set->References)
        ExpFree(Set);
}

NTSTATUS NTAPI PcwRegister(PPCW_REGISTRATION *Registration, PPCW_REGISTRATION_INFORMATION Info)
{
    PPCW_REGISTRATION Set;
    ULONG Stack = VfCaptureStack();
    if (!Info->Name || !Info->Name->Length || (Info->Name->Length & 1) ||
        (Info->Version != PCW_VERSION_1 && Info->Version != PCW_VERSION_2) ||
        (Info->Version == PCW_VERSION_2 && (Info->Flags & ~PcwRegistrationSiloNeutral)))
        return STATUS_INVALID_PARAMETER_2;
    if (Info->CounterCount > PCWP_COUNTERS_MOST)
        return STATUS_INTEGER_OVERFLOW;
    Set = ExpTryAllocate(sizeof(*Set) + Info->CounterCount * sizeof(Set->Counter[0]) + Info->Name->Length, PCWP_TAG);
    if (!Set)
        return STATUS_NO_MEMORY;
    RtlZeroMemory(Set, sizeof(*Set));
    InitializeListHead(&Set->Instances);
    Set->Callback = Info->Callback;
    Set->Context = Info->CallbackContext;
    Set->Stack = Stack;
    Set->References = 1;
    Set->Count = Info->CounterCount;
    RtlCopyMemory(Set->Counter, Info->Counters, Set->Count * sizeof(Set->Counter[0]));
    PcwpCopyName(&Set->Name, (PWCH)&Set->Counter[Set->Count], Info->Name);
    InsertTailList(&PcwpSets, &Set->Entry);
    if (Set->Callback)
        VfTrack(Set, sizeof(*Set), VfCallbackObject, (PVOID)(ULONG_PTR)Set->Callback, Stack);
    *Registration = Set;
    return STATUS_SUCCESS;
}

/* Instances are closed by themselves. */
VOID NTAPI PcwUnregister(PPCW_REGISTRATION Set)
{
    if (Set->Callback)
        VfUntrack(Set, VfCallbackObject);
    RemoveEntryList(&Set->Entry);
    PcwpLetGo(Set);
}

/* ---- Instances --------------------------------------------------------------------------------------------------- */

/* Does each counter lie in one of the blocks? */
static NTSTATUS PcwpCheckData(PPCW_REGISTRATION Set, ULONG Count, PPCW_DATA Data)
{
    for (ULONG i = 0; i < Set->Count; i++) {
        PPCW_COUNTER_DESCRIPTOR Counter = &Set->Counter[i];
        if (Counter->StructIndex >= Count)
            return STATUS_INVALID_PARAMETER_4;
        if ((ULONG)Counter->Offset + Counter->Size > Data[Counter->StructIndex].Size)
            return STATUS_INVALID_BUFFER_SIZE;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PcwCreateInstance(PPCW_INSTANCE *Instance, PPCW_REGISTRATION Set, PCUNICODE_STRING Name, ULONG Count,
                                 PPCW_DATA Data)
{
    NTSTATUS Status = PcwpCheckData(Set, Count, Data);
    PPCW_INSTANCE New;
    if (!NT_SUCCESS(Status))
        return Status;
    New = ExpTryAllocate(sizeof(*New) + Count * sizeof(New->Data[0]) + Name->Length, PCWP_TAG);
    if (!New)
        return STATUS_NO_MEMORY;
    New->Set = Set;
    New->Count = Count;
    New->Id =
        IsListEmpty(&Set->Instances) ? 0 : CONTAINING_RECORD(Set->Instances.Blink, struct _PCW_INSTANCE, Entry)->Id + 1;
    RtlCopyMemory(New->Data, Data, Count * sizeof(New->Data[0]));
    PcwpCopyName(&New->Name, (PWCH)&New->Data[Count], Name);
    InsertTailList(&Set->Instances, &New->Entry);
    Set->References++;
    *Instance = New;
    return STATUS_SUCCESS;
}

VOID NTAPI PcwCloseInstance(PPCW_INSTANCE Instance)
{
    RemoveEntryList(&Instance->Entry);
    PcwpLetGo(Instance->Set);
    ExpFree(Instance);
}

/* ---- Consuming --------------------------------------------------------------------------------------------------- */

static NTSTATUS PcwpTellCounter(PPCW_BUFFER Buffer, PPCW_COUNTER_DESCRIPTOR Counter, PPCW_DATA Data)
{
    ULONG Type = Counter->Size == 4 ? REG_DWORD : Counter->Size == 8 ? REG_QWORD : REG_BINARY;
    WCHAR Digits[8];
    UNICODE_STRING Id = {0, sizeof(Digits), Digits};
    RtlIntegerToUnicodeString(Counter->Id, 10, &Id);
    return Buffer->Tell(DOOR_REGISTRY_SET, NULL, &Id, Type, (PUCHAR)Data[Counter->StructIndex].Data + Counter->Offset,
                        Counter->Size);
}

/* docs: PcwAddInstance: the counters' values are told when they were asked for, else only who the instance is. */
NTSTATUS NTAPI PcwAddInstance(PPCW_BUFFER Buffer, PCUNICODE_STRING Name, ULONG Id, ULONG Count, PPCW_DATA Data)
{
    PPCW_REGISTRATION Set = Buffer->Set;
    NTSTATUS Status = Buffer->Values ? PcwpCheckData(Set, Count, Data) : STATUS_SUCCESS;
    if (!NT_SUCCESS(Status) ||
        !FsRtlIsNameInExpression((PUNICODE_STRING)Buffer->Mask->InstanceMask, (PUNICODE_STRING)Name, TRUE, NULL))
        return Status;
    Status = Buffer->Tell(DOOR_REGISTRY_CREATE, Name, NULL, Id, NULL, 0);
    for (ULONG i = 0; Buffer->Values && i < Set->Count && NT_SUCCESS(Status); i++)
        Status = PcwpTellCounter(Buffer, &Set->Counter[i], Data);
    return Status;
}

static NTSTATUS PcwpCall(PPCW_REGISTRATION Set, PCW_CALLBACK_TYPE Type, PPCW_CALLBACK_INFORMATION Info)
{
    NTSTATUS Status;
    VF_CALLBACK Callback;
    if (!Set->Callback)
        return STATUS_SUCCESS;
    IopEnter(&Callback, "PCW_CALLBACK", "performance counter callback", (PVOID)(ULONG_PTR)Set->Callback, NULL);
    Callback.Stack = Set->Stack;
    Callback.StackText = "The counter set was registered at:";
    Status = Set->Callback(Type, Info, Set->Context);
    VfLeaveCallback(&Callback);
    return Status;
}

static ULONG64 PcwpMaskOf(PPCW_REGISTRATION Set)
{
    ULONG64 Mask = 0;
    for (ULONG i = 0; i < Set->Count; i++)
        if (Set->Counter[i].Id < 64)
            Mask |= 1ull << Set->Counter[i].Id;
    return Mask;
}

static NTSTATUS PcwpAsk(PPCW_REGISTRATION Set, PCUNICODE_STRING Instances, BOOLEAN Values, PCWP_TELL Tell)
{
    static KEVENT Cancel;
    PCW_CALLBACK_INFORMATION Whole = {.AddCounter = {PcwpMaskOf(Set), Instances}};
    struct _PCW_BUFFER Buffer = {.Set = Set, .Tell = Tell, .Values = Values};
    PCW_CALLBACK_INFORMATION Info = {.CollectData = {.CounterMask = PcwpMaskOf(Set),
                                                     .InstanceMask = Instances,
                                                     .InstanceId = PCW_ANY_INSTANCE_ID,
                                                     .CollectMultiple = TRUE,
                                                     .Buffer = &Buffer,
                                                     .CancelEvent = &Cancel}};
    NTSTATUS Status = STATUS_SUCCESS;
    Buffer.Mask = &Info.CollectData;
    KeInitializeEvent(&Cancel, NotificationEvent, FALSE);
    if (Values)
        Status = PcwpCall(Set, PcwCallbackAddCounter, &Whole);
    if (!NT_SUCCESS(Status))
        return Status;
    for (PLIST_ENTRY Entry = Set->Instances.Flink; Entry != &Set->Instances && NT_SUCCESS(Status);
         Entry = Entry->Flink) {
        PPCW_INSTANCE Instance = CONTAINING_RECORD(Entry, struct _PCW_INSTANCE, Entry);
        Status = PcwAddInstance(&Buffer, &Instance->Name, Instance->Id, Instance->Count, Instance->Data);
    }
    if (NT_SUCCESS(Status))
        Status = PcwpCall(Set, Values ? PcwCallbackCollectData : PcwCallbackEnumerateInstances, &Info);
    if (Values)
        PcwpCall(Set, PcwCallbackRemoveCounter, &Whole);
    return Status;
}

/* docs: PcwRegister: names compare without case, and sets of the same name are read together. */
NTSTATUS PcwpCollect(PCUNICODE_STRING Name, PCUNICODE_STRING Instances, BOOLEAN Values, PCWP_TELL Tell)
{
    NTSTATUS Status = STATUS_OBJECT_NAME_NOT_FOUND;
    UNICODE_STRING Mask;
    if (!NT_SUCCESS(RtlUpcaseUnicodeString(&Mask, (PUNICODE_STRING)Instances, TRUE)))
        return STATUS_INSUFFICIENT_RESOURCES;
    for (PLIST_ENTRY Entry = PcwpSets.Flink, Next; Entry != &PcwpSets; Entry = Next) {
        PPCW_REGISTRATION Set = CONTAINING_RECORD(Entry, struct _PCW_REGISTRATION, Entry);
        Next = Entry->Flink;
        if (!RtlEqualUnicodeString(&Set->Name, (PUNICODE_STRING)Name, TRUE))
            continue;
        Status = PcwpAsk(Set, &Mask, Values, Tell);
        if (!NT_SUCCESS(Status))
            break;
    }
    RtlFreeUnicodeString(&Mask);
    return Status;
}
