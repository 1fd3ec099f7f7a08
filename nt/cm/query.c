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
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, FALSE, &Handle);
    if (NT_SUCCESS(Status))
        CmpCloseRelative(RelativeTo, Handle);
    return KiEndKernelMode(Mode, Status);
}

NTSTATUS NTAPI RtlCreateRegistryKey(ULONG RelativeTo, PWSTR Path)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, TRUE, &Handle);
    if (NT_SUCCESS(Status))
        CmpCloseRelative(RelativeTo, Handle);
    return KiEndKernelMode(Mode, Status);
}

NTSTATUS NTAPI RtlWriteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName, ULONG Type, PVOID Data,
                                     ULONG Bytes)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    UNICODE_STRING Name;
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, TRUE, &Handle);
    if (!NT_SUCCESS(Status))
        return KiEndKernelMode(Mode, Status);
    RtlInitUnicodeString(&Name, ValueName);
    Status = NtSetValueKey(Handle, &Name, 0, Type, Data, Bytes);
    CmpCloseRelative(RelativeTo, Handle);
    return KiEndKernelMode(Mode, Status);
}

NTSTATUS NTAPI RtlDeleteRegistryValue(ULONG RelativeTo, PCWSTR Path, PCWSTR ValueName)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    UNICODE_STRING Name;
    HANDLE Handle;
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, FALSE, &Handle);
    if (!NT_SUCCESS(Status))
        return KiEndKernelMode(Mode, Status);
    RtlInitUnicodeString(&Name, ValueName);
    Status = NtDeleteValueKey(Handle, &Name);
    CmpCloseRelative(RelativeTo, Handle);
    return KiEndKernelMode(Mode, Status);
}

/* ---- One value into a variable ----------------------------------------------------------------------------------- */

/* With a terminator behind it, whether or not one was stored; Length does not count it. */
static NTSTATUS CmpStoreString(PUNICODE_STRING String, PWSTR Data, ULONG Bytes)
{
    ULONG Characters = Bytes / sizeof(WCHAR), Length;

    if (Characters && !Data[Characters - 1])
        Characters--;
    Length = min(Characters * sizeof(WCHAR), 0xfffc); /* what a UNICODE_STRING can hold */
    Bytes = Length + sizeof(WCHAR);
    if (!String->Buffer) {
        String->Buffer = ExpAllocateForDriver(PagedPool, Bytes, 'gerR', FALSE, VfCaptureStack(), NULL);
        if (!String->Buffer)
            return STATUS_NO_MEMORY;
        String->MaximumLength = (USHORT)Bytes;
    } else if (Bytes > String->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(String->Buffer, Data, Length);
    String->Buffer[Length / sizeof(WCHAR)] = 0;
    String->Length = (USHORT)Length;
    return STATUS_SUCCESS;
}

static NTSTATUS CmpStoreDirect(PVOID To, ULONG Type, PVOID Data, ULONG Bytes)
{
    PLONG Sized = To;
    if (Type == REG_SZ || Type == REG_EXPAND_SZ || Type == REG_MULTI_SZ)
        return CmpStoreString(To, Data, Bytes);
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

/* ---- Expanding %NAME% -------------------------------------------------------------------------------------------- */

/* The value of a variable: in the block the driver gave; SystemRoot is known without one. */
static BOOLEAN CmpVariable(PCWSTR Environment, PCUNICODE_STRING Name, PUNICODE_STRING Value)
{
    UNICODE_STRING Root = RTL_CONSTANT_STRING(L"SystemRoot");
    for (; Environment && *Environment; Environment += wcslen(Environment) + 1) {
        ULONG n = 1; /* names may begin with the sign */
        while (Environment[n] && Environment[n] != L'=')
            n++;
        UNICODE_STRING Left = {(USHORT)(n * sizeof(WCHAR)), (USHORT)(n * sizeof(WCHAR)), (PWSTR)Environment};
        if (Environment[n] && RtlEqualUnicodeString(&Left, Name, TRUE)) {
            RtlInitUnicodeString(Value, Environment + n + 1);
            return TRUE;
        }
    }
    if (!RtlEqualUnicodeString(&Root, Name, TRUE))
        return FALSE;
    RtlInitUnicodeString(Value, L"C:\\Windows");
    return TRUE;
}

/* Text with its variables replaced, those without a value left as they are; To may be NULL. Returns the characters. */
static ULONG CmpExpand(PCWSTR Environment, PCWSTR Text, ULONG Characters, PWSTR To)
{
    ULONG Length = 0;
    for (ULONG i = 0; i < Characters;) {
        UNICODE_STRING Value = {sizeof(WCHAR), sizeof(WCHAR), (PWSTR)Text + i};
        ULONG End = i + 1;
        if (Text[i] == L'%') {
            while (End < Characters && Text[End] != L'%')
                End++;
            USHORT Bytes = (USHORT)((End - i - 1) * sizeof(WCHAR));
            UNICODE_STRING Name = {Bytes, Bytes, (PWSTR)Text + i + 1};
            End = End < Characters && Bytes && CmpVariable(Environment, &Name, &Value) ? End + 1 : i + 1;
        }
        if (To)
            RtlCopyMemory(To + Length, Value.Buffer, Value.Length);
        Length += Value.Length / sizeof(WCHAR);
        i = End;
    }
    return Length;
}

/* ---- One row of the table ---------------------------------------------------------------------------------------- */

/* What one call of RtlQueryRegistryValues is about. */
typedef struct _CM_TABLE {
    HANDLE Top, Key;
    PVOID Context;
    PCWSTR Environment;
} CM_TABLE, *PCM_TABLE;

static NTSTATUS CmpCallRoutine(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row, PWSTR Name, ULONG Type, PVOID Data,
                               ULONG Bytes)
{
    VF_CALLBACK Callback;
    IopEnter(&Callback, "RTL_QUERY_REGISTRY_ROUTINE", "registry query routine", (PVOID)(ULONG_PTR)Row->QueryRoutine,
             NULL);
    NTSTATUS Status = Row->QueryRoutine(Name, Type, Data, Bytes, Table->Context, Row->EntryContext);
    VfLeaveCallback(&Callback);
    return Status == STATUS_BUFFER_TOO_SMALL ? STATUS_SUCCESS : Status;
}

static NTSTATUS CmpGiveStrings(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row, PWSTR Name, PVOID Data, ULONG Bytes)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PWSTR End = (PWSTR)((PUCHAR)Data + (Bytes & ~1u));
    /* The last character ends the list; before it, an empty string is one like the others. */
    for (PWSTR Text = Data; NT_SUCCESS(Status) && Text + 1 < End;) {
        ULONG n = (ULONG)wcsnlen(Text, (SIZE_T)(End - Text));
        Status = CmpCallRoutine(Table, Row, Name, REG_SZ, Text, (n + 1) * sizeof(WCHAR));
        Text += n + 1;
    }
    return Status;
}

static NTSTATUS CmpDeliverValue(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row, PWSTR Name, ULONG Type, PVOID Data,
                                ULONG Bytes)
{
    return Row->Flags & RTL_QUERY_REGISTRY_DIRECT ? CmpStoreDirect(Row->EntryContext, Type, Data, Bytes)
                                                  : CmpCallRoutine(Table, Row, Name, Type, Data, Bytes);
}

/* docs: RtlQueryRegistryValues: a REG_MULTI_SZ comes string by string to a routine, an expandable string expanded,
 * unless RTL_QUERY_REGISTRY_NOEXPAND. Data is followed by two zero characters. */
static NTSTATUS CmpGiveValue(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row, PWSTR Name, ULONG Type, PVOID Data,
                             ULONG Bytes)
{
    BOOLEAN Expand = !(Row->Flags & RTL_QUERY_REGISTRY_NOEXPAND);
    if ((Row->Flags & RTL_QUERY_REGISTRY_DIRECT) && (Row->Flags & RTL_QUERY_REGISTRY_TYPECHECK) &&
        (Row->DefaultType >> RTL_QUERY_REGISTRY_TYPECHECK_SHIFT & 0xff) != Type)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (Type == REG_MULTI_SZ && Expand && !(Row->Flags & RTL_QUERY_REGISTRY_DIRECT))
        return CmpGiveStrings(Table, Row, Name, Data, Bytes);
    if (Type != REG_EXPAND_SZ || !Expand)
        return CmpDeliverValue(Table, Row, Name, Type, Data, Bytes);
    ULONG Characters = (ULONG)wcsnlen(Data, Bytes / sizeof(WCHAR));
    ULONG Length = CmpExpand(Table->Environment, Data, Characters, NULL);
    PWSTR Text = ExpAllocate((Length + 1) * sizeof(WCHAR), CM_TAG);
    CmpExpand(Table->Environment, Data, Characters, Text);
    Text[Length] = 0;
    NTSTATUS Status = CmpDeliverValue(Table, Row, Name, REG_SZ, Text, (Length + 1) * sizeof(WCHAR));
    ExpFree(Text);
    return Status;
}

static ULONG CmpDefaultBytes(PRTL_QUERY_REGISTRY_TABLE Row, ULONG Type)
{
    PWSTR Text = Row->DefaultData;
    if (!Text || (Type == REG_MULTI_SZ && !*Text)) /* a list of none, whatever its length */
        return 0;
    if (Row->DefaultLength)
        return Row->DefaultLength;
    if (Type == REG_SZ || Type == REG_EXPAND_SZ)
        return ((ULONG)wcslen(Text) + 1) * sizeof(WCHAR);
    if (Type != REG_MULTI_SZ)
        return 0;
    while (*Text)
        Text += wcslen(Text) + 1;
    return (ULONG)((PUCHAR)(Text + 1) - (PUCHAR)Row->DefaultData);
}

static NTSTATUS CmpGiveDefault(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row)
{
    ULONG Type = Row->DefaultType & ~(0xffu << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT);
    if (Type == REG_NONE)
        return Row->Flags & RTL_QUERY_REGISTRY_REQUIRED ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
    return CmpGiveValue(Table, Row, (PWSTR)Row->Name, Type, Row->DefaultData, CmpDefaultBytes(Row, Type));
}

/* ---- Reading the key ------------------------------------------------------------------------------------------------
 */

/* KEY_VALUE_FULL_INFORMATION of one value (by name, else by number), with zeros behind its data and its name in *Name.
 * The services are asked, so that registry callbacks see it. */
static NTSTATUS CmpRead(HANDLE Key, PUNICODE_STRING ByName, ULONG Index, PKEY_VALUE_FULL_INFORMATION *Value,
                        PWSTR *Name)
{
    ULONG Room = 256, Need;
    for (;;) {
        PUCHAR Buffer = ExpTryAllocate(Room + 4 * sizeof(WCHAR), CM_TAG);
        if (!Buffer)
            return STATUS_NO_MEMORY;
        NTSTATUS Status = ByName ? NtQueryValueKey(Key, ByName, KeyValueFullInformation, Buffer, Room, &Need)
                                 : NtEnumerateValueKey(Key, Index, KeyValueFullInformation, Buffer, Room, &Need);
        PKEY_VALUE_FULL_INFORMATION Full = (PVOID)Buffer;
        if (NT_SUCCESS(Status)) {
            PWSTR Text = ExpAllocate(Full->NameLength + sizeof(WCHAR), CM_TAG);
            RtlCopyMemory(Text, Full->Name, Full->NameLength);
            Text[Full->NameLength / sizeof(WCHAR)] = 0;
            RtlZeroMemory(Buffer + Full->DataOffset + Full->DataLength, 2 * sizeof(WCHAR));
            *Value = Full;
            *Name = Text;
            return Status;
        }
        ExpFree(Buffer);
        if (Status != STATUS_BUFFER_OVERFLOW && Status != STATUS_BUFFER_TOO_SMALL)
            return Status;
        Room = Need;
    }
}

static NTSTATUS CmpDeleteRead(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row, PWSTR Text)
{
    UNICODE_STRING Name;
    if (!(Row->Flags & RTL_QUERY_REGISTRY_DELETE))
        return STATUS_SUCCESS;
    RtlInitUnicodeString(&Name, Text);
    return NtDeleteValueKey(Table->Key, &Name);
}

static NTSTATUS CmpQueryNamed(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row)
{
    PKEY_VALUE_FULL_INFORMATION Value;
    UNICODE_STRING Name;
    PWSTR Text;
    RtlInitUnicodeString(&Name, Row->Name);
    NTSTATUS Status = CmpRead(Table->Key, &Name, 0, &Value, &Text);
    if (Status == STATUS_OBJECT_NAME_NOT_FOUND)
        return CmpGiveDefault(Table, Row);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Value->Type == REG_NONE && Row->DefaultType)
        Status = CmpGiveDefault(Table, Row);
    else
        Status = CmpGiveValue(Table, Row, (PWSTR)Row->Name, Value->Type, (PUCHAR)Value + Value->DataOffset,
                              Value->DataLength);
    if (NT_SUCCESS(Status))
        CmpDeleteRead(Table, Row, Text);
    ExpFree(Text);
    ExpFree(Value);
    return Status;
}

/* A row without a name takes every value of the key. */
static NTSTATUS CmpQueryAll(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row)
{
    NTSTATUS Status = STATUS_SUCCESS;
    BOOLEAN Any = FALSE;
    for (ULONG Index = 0; NT_SUCCESS(Status);) {
        PKEY_VALUE_FULL_INFORMATION Value;
        PWSTR Name;
        Status = CmpRead(Table->Key, NULL, Index, &Value, &Name);
        if (Status == STATUS_NO_MORE_ENTRIES)
            return !Any && (Row->Flags & RTL_QUERY_REGISTRY_REQUIRED) ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
        if (!NT_SUCCESS(Status))
            break;
        Any = TRUE;
        Status = CmpGiveValue(Table, Row, Name, Value->Type, (PUCHAR)Value + Value->DataOffset, Value->DataLength);
        if (!NT_SUCCESS(Status) || !(Row->Flags & RTL_QUERY_REGISTRY_DELETE) ||
            !NT_SUCCESS(CmpDeleteRead(Table, Row, Name)))
            Index++;
        ExpFree(Name);
        ExpFree(Value);
    }
    return Status;
}

static VOID CmpLeaveSubkey(PCM_TABLE Table)
{
    if (Table->Key != Table->Top)
        NtClose(Table->Key);
    Table->Key = Table->Top;
}

static NTSTATUS CmpEnterSubkey(PCM_TABLE Table, PCWSTR Path)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;
    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, Table->Top, NULL);
    NTSTATUS Status = NtOpenKey(&Key, MAXIMUM_ALLOWED, &Attributes);
    if (NT_SUCCESS(Status))
        Table->Key = Key;
    return Status;
}

static NTSTATUS CmpQueryRow(PCM_TABLE Table, PRTL_QUERY_REGISTRY_TABLE Row)
{
    if ((Row->Flags & RTL_QUERY_REGISTRY_DIRECT) &&
        (!Row->Name || (Row->Flags & RTL_QUERY_REGISTRY_SUBKEY) || Row->QueryRoutine))
        return STATUS_INVALID_PARAMETER;
    if (Row->Flags & (RTL_QUERY_REGISTRY_TOPKEY | RTL_QUERY_REGISTRY_SUBKEY))
        CmpLeaveSubkey(Table);
    if (Row->Flags & RTL_QUERY_REGISTRY_SUBKEY) {
        NTSTATUS Status = Row->Name ? CmpEnterSubkey(Table, Row->Name) : STATUS_INVALID_PARAMETER;
        return NT_SUCCESS(Status) && Row->QueryRoutine ? CmpQueryAll(Table, Row) : Status;
    }
    if (Row->Flags & RTL_QUERY_REGISTRY_NOVALUE)
        return CmpCallRoutine(Table, Row, NULL, REG_NONE, NULL, 0);
    return Row->Name ? CmpQueryNamed(Table, Row) : CmpQueryAll(Table, Row);
}

NTSTATUS NTAPI RtlQueryRegistryValues(ULONG RelativeTo, PCWSTR Path, PRTL_QUERY_REGISTRY_TABLE Row, PVOID Context,
                                      PVOID Environment)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    CM_TABLE Table = {.Context = Context, .Environment = Environment};
    NTSTATUS Status = CmpOpenRelative(RelativeTo, Path, FALSE, &Table.Top);
    if (!NT_SUCCESS(Status))
        return KiEndKernelMode(Mode, (RelativeTo & RTL_REGISTRY_OPTIONAL) && Status == STATUS_OBJECT_NAME_NOT_FOUND
                                         ? STATUS_SUCCESS
                                         : Status);
    Table.Key = Table.Top;
    for (; NT_SUCCESS(Status) &&
           (Row->QueryRoutine || (Row->Flags & (RTL_QUERY_REGISTRY_SUBKEY | RTL_QUERY_REGISTRY_DIRECT)));
         Row++)
        Status = CmpQueryRow(&Table, Row);
    CmpLeaveSubkey(&Table);
    CmpCloseRelative(RelativeTo, Table.Top);
    return KiEndKernelMode(Mode, Status);
}

/* The newer name, for tables with RTL_QUERY_REGISTRY_TYPECHECK. */
NTSTATUS NTAPI RtlQueryRegistryValuesEx(ULONG RelativeTo, PCWSTR Path, PRTL_QUERY_REGISTRY_TABLE Row, PVOID Context,
                                        PVOID Environment)
{
    return RtlQueryRegistryValues(RelativeTo, Path, Row, Context, Environment);
}

/* ---- One value in one of two keys -------------------------------------------------------------------------------- */

static NTSTATUS CmpReadInto(HANDLE Key, PUNICODE_STRING Name, ULONG Room, PULONG Type, PVOID Data, PULONG Bytes)
{
    PKEY_VALUE_FULL_INFORMATION Value;
    PWSTR Text;
    if (!Key)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    NTSTATUS Status = CmpRead(Key, Name, 0, &Value, &Text);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Type)
        *Type = Value->Type;
    *Bytes = Value->DataLength;
    if (Value->DataLength > Room)
        Status = STATUS_BUFFER_OVERFLOW;
    else
        RtlCopyMemory(Data, (PUCHAR)Value + Value->DataOffset, Value->DataLength);
    ExpFree(Text);
    ExpFree(Value);
    return Status;
}

/* docs: RtlQueryRegistryValueWithFallback: the second key is asked when the first one does not have the value. */
NTSTATUS NTAPI RtlQueryRegistryValueWithFallback(HANDLE Primary, HANDLE Fallback, PUNICODE_STRING Name, ULONG Room,
                                                 PULONG Type, PVOID Data, PULONG Bytes)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    if (!Primary && !Fallback)
        return KiEndKernelMode(Mode, STATUS_INVALID_PARAMETER);
    NTSTATUS Status = CmpReadInto(Primary, Name, Room, Type, Data, Bytes);
    if (Status == STATUS_OBJECT_NAME_NOT_FOUND)
        Status = CmpReadInto(Fallback, Name, Room, Type, Data, Bytes);
    return KiEndKernelMode(Mode, Status);
}
