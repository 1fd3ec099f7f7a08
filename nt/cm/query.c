/*
 * The registry for drivers in a hurry: RtlQueryRegistryValues and its relatives (docs: the pages of these names).
 *
 * A table says which values are wanted and where they go: to the driver's routine, or straight into its variables
 * (RTL_QUERY_REGISTRY_DIRECT), where a buffer brings its size in a negative first LONG and a string is allocated when
 * it has none.
 */
#include "nt.h"
#include "cm/cmp.h"
#include "ex/poolp.h"

#ifndef RTL_QUERY_REGISTRY_TYPECHECK
#define RTL_QUERY_REGISTRY_TYPECHECK 0x00000100
#define RTL_QUERY_REGISTRY_TYPECHECK_SHIFT 24
#endif

/* ---- Paths ------------------------------------------------------------------------------------------------------- */

static const PCWSTR CmpBase[RTL_REGISTRY_MAXIMUM] = {
    [RTL_REGISTRY_ABSOLUTE] = L"",
    [RTL_REGISTRY_SERVICES] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\",
    [RTL_REGISTRY_CONTROL] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Control\\",
    [RTL_REGISTRY_WINDOWS_NT] = L"\\Registry\\Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion\\",
    [RTL_REGISTRY_DEVICEMAP] = L"\\Registry\\Machine\\Hardware\\DeviceMap\\",
    [RTL_REGISTRY_USER] = L"\\Registry\\User\\.Default\\",
};

static NTSTATUS CmpOpenRelative(ULONG RelativeTo, PCWSTR Path, BOOLEAN Create, PHANDLE Handle)
{
    ULONG Base = RelativeTo & 0xff;
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    if (RelativeTo & RTL_REGISTRY_HANDLE) {
        *Handle = (HANDLE)Path;
        return STATUS_SUCCESS;
    }
    if (Base >= RTL_REGISTRY_MAXIMUM)
        return STATUS_INVALID_PARAMETER;
    ULONG Front = (ULONG)wcslen(CmpBase[Base]), Back = Path ? (ULONG)wcslen(Path) : 0;
    PWSTR Text = ExpAllocate((Front + Back + 1) * sizeof(WCHAR), CM_TAG);
    RtlCopyMemory(Text, CmpBase[Base], Front * sizeof(WCHAR));
    RtlCopyMemory(Text + Front, Path, Back * sizeof(WCHAR));
    Text[Front + Back] = 0;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS Status = Create ? NtCreateKey(Handle, KEY_ALL_ACCESS, &Attributes, 0, NULL, 0, NULL)
                             : NtOpenKey(Handle, KEY_ALL_ACCESS, &Attributes);
    ExpFree(Text);
    return Status;
}

static VOID CmpCloseRelative(ULONG RelativeTo, HANDLE Handle)
{
    if (!(RelativeTo & RTL_REGISTRY_HANDLE))
        NtClose(Handle);
}

NTSTATUS NTAPI RtlCheckRegistryKey(ULONG RelativeTo, PWSTR Path)
{
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, FALSE, &Handle);
    if (NT_SUCCESS(Status))
        CmpCloseRelative(RelativeTo, Handle);
    return Status;
}

NTSTATUS NTAPI RtlCreateRegistryKey(ULONG RelativeTo, PWSTR Path)
{
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, TRUE, &Handle);
    if (NT_SUCCESS(Status))
        CmpCloseRelative(RelativeTo, Handle);
    return Status;
}

NTSTATUS NTAPI RtlWriteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName, ULONG Type, PVOID Data,
                                     ULONG Bytes)
{
    UNICODE_STRING Name;
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, TRUE, &Handle);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlInitUnicodeString(&Name, ValueName);
    Status = NtSetValueKey(Handle, &Name, 0, Type, Data, Bytes);
    CmpCloseRelative(RelativeTo, Handle);
    return Status;
}

NTSTATUS NTAPI RtlDeleteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName)
{
    UNICODE_STRING Name;
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, FALSE, &Handle);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlInitUnicodeString(&Name, ValueName);
    Status = NtDeleteValueKey(Handle, &Name);
    CmpCloseRelative(RelativeTo, Handle);
    return Status;
}

/* ---- One value into a variable ----------------------------------------------------------------------------------- */

static NTSTATUS CmpStoreString(PUNICODE_STRING String, PVOID Data, ULONG Bytes)
{
    if (!String->Buffer) {
        String->Buffer = ExpAllocateForDriver(PagedPool, Bytes ? Bytes : 1, 'gerR', FALSE, VfCaptureStack(), NULL);
        if (!String->Buffer)
            return STATUS_NO_MEMORY;
        String->MaximumLength = (USHORT)Bytes;
    } else if (Bytes > String->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(String->Buffer, Data, Bytes);
    String->Length = (USHORT)(Bytes >= sizeof(WCHAR) ? Bytes - sizeof(WCHAR) : 0);
    return STATUS_SUCCESS;
}

static NTSTATUS CmpStoreDirect(PVOID To, ULONG Type, PVOID Data, ULONG Bytes)
{
    PLONG Sized = To;
    if (Type == REG_SZ || Type == REG_EXPAND_SZ || Type == REG_MULTI_SZ)
        return Bytes > 0xffff ? STATUS_BUFFER_OVERFLOW : CmpStoreString(To, Data, Bytes);
    if (Bytes <= sizeof(ULONG)) {
        RtlCopyMemory(To, Data, Bytes);
        return STATUS_SUCCESS;
    }
    if (*Sized >= 0) { /* length and type, then the data */
        ULONG Room = (ULONG)Sized[0];
        if (Room < Bytes + 2 * sizeof(LONG))
            return STATUS_BUFFER_TOO_SMALL;
        Sized[0] = (LONG)Bytes;
        Sized[1] = (LONG)Type;
        RtlCopyMemory(&Sized[2], Data, Bytes);
        return STATUS_SUCCESS;
    }
    if ((ULONG) - *Sized < Bytes)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(To, Data, Bytes);
    return STATUS_SUCCESS;
}

/* ---- One row of the table ---------------------------------------------------------------------------------------- */

static NTSTATUS CmpCallRoutine(PRTL_QUERY_REGISTRY_TABLE Row, PWSTR Name, ULONG Type, PVOID Data, ULONG Bytes,
                               PVOID Context)
{
    VF_CALLBACK Callback;
    IopEnter(&Callback, "RTL_QUERY_REGISTRY_ROUTINE", "registry query routine", (PVOID)(ULONG_PTR)Row->QueryRoutine,
             NULL);
    NTSTATUS Status = Row->QueryRoutine(Name, Type, Data, Bytes, Context, Row->EntryContext);
    VfLeaveCallback(&Callback);
    return Status == STATUS_BUFFER_TOO_SMALL ? STATUS_SUCCESS : Status;
}

/* Hand over one value. docs: a REG_MULTI_SZ comes string by string, an expandable string expanded, unless
 * RTL_QUERY_REGISTRY_NOEXPAND. DIFFERS: there are no environment variables, so expanding changes nothing. */
static NTSTATUS CmpGiveValue(PRTL_QUERY_REGISTRY_TABLE Row, PWSTR Name, ULONG Type, PVOID Data, ULONG Bytes,
                             PVOID Context)
{
    BOOLEAN Expand = !(Row->Flags & RTL_QUERY_REGISTRY_NOEXPAND);
    if (Row->Flags & RTL_QUERY_REGISTRY_DIRECT) {
        if ((Row->Flags & RTL_QUERY_REGISTRY_TYPECHECK) &&
            (Row->DefaultType >> RTL_QUERY_REGISTRY_TYPECHECK_SHIFT & 0xff) != Type)
            return STATUS_OBJECT_TYPE_MISMATCH;
        return CmpStoreDirect(Row->EntryContext, Type, Data, Bytes);
    }
    if (Type == REG_EXPAND_SZ && Expand)
        Type = REG_SZ;
    if (Type != REG_MULTI_SZ || !Expand)
        return CmpCallRoutine(Row, Name, Type, Data, Bytes, Context);
    NTSTATUS Status = STATUS_SUCCESS;
    for (PWSTR Text = Data, End = (PWSTR)((PUCHAR)Data + Bytes); NT_SUCCESS(Status) && Text < End && *Text;) {
        ULONG n = (ULONG)wcsnlen(Text, (SIZE_T)(End - Text)) + 1;
        Status = CmpCallRoutine(Row, Name, REG_SZ, Text, n * sizeof(WCHAR), Context);
        Text += n;
    }
    return Status;
}

static NTSTATUS CmpGiveDefault(PRTL_QUERY_REGISTRY_TABLE Row, PVOID Context)
{
    ULONG Type = Row->DefaultType & ~(0xffu << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT), Bytes = Row->DefaultLength;
    if (Type == REG_NONE)
        return Row->Flags & RTL_QUERY_REGISTRY_REQUIRED ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
    if (!Bytes && (Type == REG_SZ || Type == REG_EXPAND_SZ))
        Bytes = ((ULONG)wcslen(Row->DefaultData) + 1) * sizeof(WCHAR);
    if (!Bytes && Type == REG_MULTI_SZ) {
        PWSTR Text = Row->DefaultData;
        while (*Text)
            Text += wcslen(Text) + 1;
        Bytes = (ULONG)((PUCHAR)(Text + 1) - (PUCHAR)Row->DefaultData);
    }
    return CmpGiveValue(Row, (PWSTR)Row->Name, Type, Row->DefaultData, Bytes, Context);
}

static NTSTATUS CmpQueryNamed(PCM_KEY Key, PRTL_QUERY_REGISTRY_TABLE Row, PVOID Context)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Row->Name);
    PCM_VALUE Value = CmpFindValue(Key, &Name);
    if (!Value)
        return CmpGiveDefault(Row, Context);
    NTSTATUS Status = CmpGiveValue(Row, (PWSTR)Row->Name, Value->Type, Value->Data, Value->Bytes, Context);
    if (NT_SUCCESS(Status) && (Row->Flags & RTL_QUERY_REGISTRY_DELETE) && (Value = CmpFindValue(Key, &Name)))
        CmpRemoveValue(Key, Value);
    return Status;
}

/* A row without a name takes every value of the key. */
static NTSTATUS CmpQueryAll(PCM_KEY Key, PRTL_QUERY_REGISTRY_TABLE Row, PVOID Context)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Index = 0;
    for (PLIST_ENTRY Entry; NT_SUCCESS(Status) && (Entry = CmpNth(&Key->Values, Index));) {
        PCM_VALUE Value = CONTAINING_RECORD(Entry, CM_VALUE, Entry);
        PWSTR Name = ExpAllocate(Value->Name.Length + sizeof(WCHAR), CM_TAG);
        RtlCopyMemory(Name, Value->Name.Buffer, Value->Name.Length);
        Name[Value->Name.Length / sizeof(WCHAR)] = 0;
        Status = CmpGiveValue(Row, Name, Value->Type, Value->Data, Value->Bytes, Context);
        ExpFree(Name);
        if (NT_SUCCESS(Status) && (Row->Flags & RTL_QUERY_REGISTRY_DELETE) && CmpNth(&Key->Values, Index) == Entry)
            CmpRemoveValue(Key, Value);
        else
            Index++;
    }
    if (!Index && (Row->Flags & RTL_QUERY_REGISTRY_REQUIRED))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    return Status;
}

static PCM_KEY CmpSubkey(PCM_KEY Top, PCWSTR Path)
{
    while (Top && *Path) {
        ULONG n = 0;
        while (Path[n] && Path[n] != L'\\')
            n++;
        UNICODE_STRING Name = {(USHORT)(n * sizeof(WCHAR)), (USHORT)(n * sizeof(WCHAR)), (PWSTR)Path};
        if (n)
            Top = CmpFindKey(Top, &Name);
        Path += Path[n] ? n + 1 : n;
    }
    return Top;
}

static NTSTATUS CmpQueryTable(PCM_KEY Top, PRTL_QUERY_REGISTRY_TABLE Row, PVOID Context)
{
    PCM_KEY Key = Top;
    NTSTATUS Status = STATUS_SUCCESS;
    for (; NT_SUCCESS(Status) &&
           (Row->QueryRoutine || (Row->Flags & (RTL_QUERY_REGISTRY_SUBKEY | RTL_QUERY_REGISTRY_DIRECT)));
         Row++) {
        if ((Row->Flags & RTL_QUERY_REGISTRY_DIRECT) &&
            (!Row->Name || (Row->Flags & RTL_QUERY_REGISTRY_SUBKEY) || Row->QueryRoutine))
            return STATUS_INVALID_PARAMETER;
        if (Row->Flags & (RTL_QUERY_REGISTRY_TOPKEY | RTL_QUERY_REGISTRY_SUBKEY))
            Key = Top;
        if (Row->Flags & RTL_QUERY_REGISTRY_SUBKEY) {
            if (!Row->Name)
                return STATUS_INVALID_PARAMETER;
            Key = CmpSubkey(Top, Row->Name);
            if (!Key)
                Status = Row->Flags & RTL_QUERY_REGISTRY_REQUIRED ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
            else if (Row->QueryRoutine)
                Status = CmpQueryAll(Key, Row, Context);
            Key = Key ? Key : Top;
        } else if (Row->Flags & RTL_QUERY_REGISTRY_NOVALUE)
            Status = CmpCallRoutine(Row, NULL, REG_NONE, NULL, 0, Context);
        else
            Status = Row->Name ? CmpQueryNamed(Key, Row, Context) : CmpQueryAll(Key, Row, Context);
    }
    return Status;
}

NTSTATUS NTAPI RtlQueryRegistryValues(ULONG RelativeTo, PCWSTR Path, PRTL_QUERY_REGISTRY_TABLE Table, PVOID Context,
                                      PVOID Environment)
{
    PCM_KEY_BODY Body;
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, FALSE, &Handle);
    if (!NT_SUCCESS(Status))
        return (RelativeTo & RTL_REGISTRY_OPTIONAL) && Status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : Status;
    Status = ObReferenceObjectByHandle(Handle, 0, CmpKeyType, KernelMode, (PVOID *)&Body, NULL);
    if (NT_SUCCESS(Status)) {
        Status = Body->Key->Deleted ? STATUS_KEY_DELETED : CmpQueryTable(Body->Key, Table, Context);
        ObfDereferenceObject(Body);
    }
    CmpCloseRelative(RelativeTo, Handle);
    return Status;
}
