/*
 * The tree of keys and values, and the keys every machine has.
 * DIFFERS: it lives in memory only, and starts with little more than services and the system's version.
 */
#include "nt.h"
#include "cm/cmp.h"

static CM_KEY CmpRoot;
static PCM_KEY CmpServices;

static VOID CmpCopyString(PUNICODE_STRING To, PCUNICODE_STRING From)
{
    To->Length = To->MaximumLength = From ? From->Length : 0;
    To->Buffer = To->Length ? ExpAllocate(To->Length, CM_TAG) : NULL;
    if (To->Length)
        RtlCopyMemory(To->Buffer, From->Buffer, To->Length);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

PLIST_ENTRY CmpNth(PLIST_ENTRY Head, ULONG Index)
{
    PLIST_ENTRY Entry = Head->Flink;
    while (Index-- && Entry != Head)
        Entry = Entry->Flink;
    return Entry == Head ? NULL : Entry;
}

PCM_KEY CmpFindKey(PCM_KEY Parent, PCUNICODE_STRING Name)
{
    for (PLIST_ENTRY Entry = Parent->Children.Flink; Entry != &Parent->Children; Entry = Entry->Flink) {
        PCM_KEY Key = CONTAINING_RECORD(Entry, CM_KEY, Entry);
        if (RtlEqualUnicodeString(&Key->Name, Name, TRUE))
            return Key->Link ? Key->Link : Key;
    }
    return NULL;
}

PCM_KEY CmpMakeKey(PCM_KEY Parent, PCUNICODE_STRING Name)
{
    PCM_KEY Key = ExpAllocate(sizeof(*Key), CM_TAG);
    RtlZeroMemory(Key, sizeof(*Key));
    InitializeListHead(&Key->Children);
    InitializeListHead(&Key->Values);
    CmpCopyString(&Key->Name, Name);
    Key->WriteTime.QuadPart = KiSystemTime();
    Key->Parent = Parent;
    PLIST_ENTRY Entry = Parent->Children.Flink;
    while (Entry != &Parent->Children &&
           RtlCompareUnicodeString(&CONTAINING_RECORD(Entry, CM_KEY, Entry)->Name, Name, TRUE) < 0)
        Entry = Entry->Flink;
    InsertTailList(Entry, &Key->Entry);
    Parent->ChildCount++;
    Parent->WriteTime = Key->WriteTime;
    return Key;
}

/* A key object is gone, or the key was deleted: the memory goes when both are so. */
VOID CmpReleaseKey(PCM_KEY Key)
{
    if (Key->References || !Key->Deleted)
        return;
    while (!IsListEmpty(&Key->Values))
        CmpRemoveValue(Key, CONTAINING_RECORD(Key->Values.Flink, CM_VALUE, Entry));
    if (Key->Name.Buffer)
        ExpFree(Key->Name.Buffer);
    if (Key->Class.Buffer)
        ExpFree(Key->Class.Buffer);
    ExpFree(Key);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

PCM_VALUE CmpFindValue(PCM_KEY Key, PCUNICODE_STRING Name)
{
    for (PLIST_ENTRY Entry = Key->Values.Flink; Entry != &Key->Values; Entry = Entry->Flink) {
        PCM_VALUE Value = CONTAINING_RECORD(Entry, CM_VALUE, Entry);
        if (RtlEqualUnicodeString(&Value->Name, Name, TRUE))
            return Value;
    }
    return NULL;
}

VOID CmpRemoveValue(PCM_KEY Key, PCM_VALUE Value)
{
    RemoveEntryList(&Value->Entry);
    Key->ValueCount--;
    Key->WriteTime.QuadPart = KiSystemTime();
    if (Value->Name.Buffer)
        ExpFree(Value->Name.Buffer);
    if (Value->Data)
        ExpFree(Value->Data);
    ExpFree(Value);
}

NTSTATUS CmpSetValue(PCM_KEY Key, PCUNICODE_STRING Name, ULONG Type, PVOID Data, ULONG Bytes)
{
    PVOID Copy = Bytes ? ExpAllocate(Bytes, CM_TAG) : NULL;
    PCM_VALUE Value = CmpFindValue(Key, Name);
    if (Bytes)
        RtlCopyMemory(Copy, Data, Bytes);
    if (!Value) {
        Value = ExpAllocate(sizeof(*Value), CM_TAG);
        RtlZeroMemory(Value, sizeof(*Value));
        CmpCopyString(&Value->Name, Name);
        InsertTailList(&Key->Values, &Value->Entry);
        Key->ValueCount++;
    } else if (Value->Data)
        ExpFree(Value->Data);
    Value->Type = Type;
    Value->Data = Copy;
    Value->Bytes = Bytes;
    Key->WriteTime.QuadPart = KiSystemTime();
    return STATUS_SUCCESS;
}

/* ---- The keys there are at the start ----------------------------------------------------------------------------- */

/* Make the keys of a path below Parent that are missing; the last one. */
static PCM_KEY CmpMakePath(PCM_KEY Parent, PCWSTR Path)
{
    while (*Path) {
        ULONG n = 0;
        while (Path[n] && Path[n] != L'\\')
            n++;
        UNICODE_STRING Name = {(USHORT)(n * sizeof(WCHAR)), (USHORT)(n * sizeof(WCHAR)), (PWSTR)Path};
        PCM_KEY Key = CmpFindKey(Parent, &Name);
        Parent = Key ? Key : CmpMakeKey(Parent, &Name);
        Path += Path[n] ? n + 1 : n;
    }
    return Parent;
}

static VOID CmpSetNamed(PCM_KEY Key, PCWSTR Name, ULONG Type, PVOID Data, ULONG Bytes)
{
    UNICODE_STRING Text;
    RtlInitUnicodeString(&Text, Name);
    CmpSetValue(Key, &Text, Type, Data, Bytes);
}

static VOID CmpSetText(PCM_KEY Key, PCWSTR Name, PCSTR Data)
{
    WCHAR Text[64];
    ULONG Characters = RtlpFromUtf8(Text, RTL_NUMBER_OF(Text) - 1, Data);
    Text[Characters] = 0;
    CmpSetNamed(Key, Name, REG_SZ, Text, (Characters + 1) * sizeof(WCHAR));
}

static VOID CmpSetNumber(PCM_KEY Key, PCWSTR Name, ULONG Number)
{
    CmpSetNamed(Key, Name, REG_DWORD, &Number, sizeof(Number));
}

/* As the service control manager does for a driver that is started on demand. */
VOID CmpAddService(PCUNICODE_STRING Service, PCUNICODE_STRING ImagePath)
{
    PCM_KEY Key = CmpFindKey(CmpServices, Service);
    if (!Key)
        Key = CmpMakeKey(CmpServices, Service);
    PWSTR Path = ExpAllocate(ImagePath->Length + sizeof(WCHAR), CM_TAG);
    RtlCopyMemory(Path, ImagePath->Buffer, ImagePath->Length);
    Path[ImagePath->Length / sizeof(WCHAR)] = 0;
    CmpSetNamed(Key, L"ImagePath", REG_EXPAND_SZ, Path, ImagePath->Length + sizeof(WCHAR));
    ExpFree(Path);
    CmpSetNumber(Key, L"Type", 1);
    CmpSetNumber(Key, L"Start", 3);
    CmpSetNumber(Key, L"ErrorControl", 1);
    CmpMakePath(Key, L"Parameters");
}

static VOID CmpFillVersion(PCM_KEY Machine)
{
    PCM_KEY Key = CmpMakePath(Machine, L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion");
    CHAR Build[16];
    RtlpFormat(Build, sizeof(Build), "%u", KiDoor->os_build);
    CmpSetText(Key, L"CurrentBuild", Build);
    CmpSetText(Key, L"CurrentBuildNumber", Build);
    CmpSetText(Key, L"CurrentVersion", "6.3");
    CmpSetNumber(Key, L"CurrentMajorVersionNumber", KiDoor->os_major);
    CmpSetNumber(Key, L"CurrentMinorVersionNumber", KiDoor->os_minor);
    CmpSetText(Key, L"SystemRoot", "C:\\Windows");
    CmpSetText(Key, L"ProductName", "irqlab");
}

PCM_KEY CmpBuildTree(VOID)
{
    UNICODE_STRING Current = RTL_CONSTANT_STRING(L"CurrentControlSet");
    InitializeListHead(&CmpRoot.Children);
    InitializeListHead(&CmpRoot.Values);
    RtlInitUnicodeString(&CmpRoot.Name, L"REGISTRY");
    PCM_KEY Machine = CmpMakePath(&CmpRoot, L"MACHINE");
    PCM_KEY System = CmpMakePath(Machine, L"SYSTEM");
    PCM_KEY Set = CmpMakePath(System, L"ControlSet001");
    CmpMakePath(Set, L"Control\\Session Manager");
    CmpMakePath(Set, L"Control\\Class");
    CmpMakePath(Set, L"Enum");
    CmpServices = CmpMakePath(Set, L"Services");
    CmpMakeKey(System, &Current)->Link = Set;
    CmpMakePath(Machine, L"HARDWARE\\DESCRIPTION\\System");
    CmpMakePath(Machine, L"HARDWARE\\DEVICEMAP");
    CmpMakePath(&CmpRoot, L"USER\\.DEFAULT");
    CmpFillVersion(Machine);
    return &CmpRoot;
}
