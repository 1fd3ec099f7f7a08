/*
 * Drivers loaded and unloaded by the name of their service key (docs: ZwLoadDriver, ZwUnloadDriver).
 *
 * The key's ImagePath leads to a file on the volume. A driver that was given on the command line is found by its file name
 * too, wherever its path leads: so what runs there needs no copy on the volume.
 */
#include "nt.h"
#include "cm/cmp.h"

#define IOP_PATH 512

/* Value of a service key; Buffer has room for Bytes of data. */
static NTSTATUS IopServiceValue(HANDLE Key, PCWSTR ValueName, ULONG Type, PVOID Buffer, ULONG Bytes, PULONG Length)
{
    UNICODE_STRING Name;
    ULONG Returned, Room = FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data) + Bytes;
    PKEY_VALUE_PARTIAL_INFORMATION Value = ExpAllocate(Room, 'yKoI');
    RtlInitUnicodeString(&Name, ValueName);
    NTSTATUS Status = NtQueryValueKey(Key, &Name, KeyValuePartialInformation, Value, Room, &Returned);
    if (NT_SUCCESS(Status) && Value->Type != Type && !(Type == REG_EXPAND_SZ && Value->Type == REG_SZ))
        Status = STATUS_OBJECT_TYPE_MISMATCH;
    if (NT_SUCCESS(Status)) {
        RtlCopyMemory(Buffer, Value->Data, Value->DataLength);
        *Length = Value->DataLength;
    }
    ExpFree(Value);
    return Status;
}

static BOOLEAN IopSkip(PUNICODE_STRING Path, PCWSTR Prefix)
{
    UNICODE_STRING Begin;
    RtlInitUnicodeString(&Begin, Prefix);
    if (!RtlPrefixUnicodeString(&Begin, Path, TRUE))
        return FALSE;
    Path->Buffer += Begin.Length / sizeof(WCHAR);
    Path->Length -= Begin.Length;
    return TRUE;
}

/* An ImagePath as a path on the volume, with '/'. */
static BOOLEAN IopVolumePath(PUNICODE_STRING Path, PCHAR Text, ULONG Bytes)
{
    BOOLEAN Root = IopSkip(Path, L"\\??\\C:\\") || IopSkip(Path, L"\\DosDevices\\C:\\") || IopSkip(Path, L"C:\\") ||
                   IopSkip(Path, L"\\Device\\HarddiskVolume1\\");
    ULONG At = 0;
    if (!Root) { /* without a root it is relative to the system's directory */
        if (!IopSkip(Path, L"\\SystemRoot\\") && Path->Length && Path->Buffer[0] == L'\\')
            return FALSE;
        At = RtlpFormat(Text, Bytes, "Windows/");
    }
    RtlpToUtf8(Text + At, Bytes - At, Path->Buffer, Path->Length / sizeof(WCHAR));
    for (PCHAR p = Text; *p; p++)
        if (*p == '\\')
            *p = '/';
    return TRUE;
}

/* The last component of a key's name. */
static NTSTATUS IopServiceName(PUNICODE_STRING KeyName, PWSTR Service, ULONG Characters)
{
    ULONG End = KeyName->Length / sizeof(WCHAR), Start = End, n = 0;
    while (Start && KeyName->Buffer[Start - 1] != L'\\')
        Start--;
    if (Start == End || End - Start >= Characters)
        return STATUS_OBJECT_NAME_INVALID;
    while (Start < End)
        Service[n++] = KeyName->Buffer[Start++];
    Service[n] = 0;
    return STATUS_SUCCESS;
}

static NTSTATUS IopLoadFromKey(HANDLE Key, PCWSTR Service)
{
    WCHAR Buffer[IOP_PATH / 2];
    CHAR Text[IOP_PATH];
    UNICODE_STRING Path = {.Buffer = Buffer};
    PDRIVER_OBJECT Driver;
    ULONG Type = SERVICE_KERNEL_DRIVER, Length;
    IopServiceValue(Key, L"Type", REG_DWORD, &Type, sizeof(Type), &Length);
    if (Type != SERVICE_KERNEL_DRIVER && Type != SERVICE_FILE_SYSTEM_DRIVER)
        return STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(IopServiceValue(Key, L"ImagePath", REG_EXPAND_SZ, Buffer, sizeof(Buffer), &Length))) {
        Path.Length = (USHORT)Length;
        while (Path.Length && !Path.Buffer[Path.Length / sizeof(WCHAR) - 1])
            Path.Length -= sizeof(WCHAR);
    }
    if (Path.Length) {
        if (!IopVolumePath(&Path, Text, sizeof(Text)))
            return STATUS_OBJECT_PATH_NOT_FOUND;
    } else {
        ULONG At = RtlpFormat(Text, sizeof(Text), "Windows/System32/drivers/");
        At += RtlpToUtf8(Text + At, sizeof(Text) - At - 4, Service, (ULONG)wcslen(Service));
        RtlpFormat(Text + At, sizeof(Text) - At, ".sys");
    }
    NTSTATUS Status = IopLoadService(Service, Text, TRUE, &Driver);
    if (Status != STATUS_OBJECT_NAME_NOT_FOUND && Status != STATUS_OBJECT_PATH_NOT_FOUND &&
        Status != STATUS_NO_SUCH_FILE)
        return Status;
    PCSTR Name = strrchr(Text, '/') ? strrchr(Text, '/') + 1 : Text;
    NTSTATUS Offered = IopLoadService(Service, Name, FALSE, &Driver);
    return Offered == STATUS_NO_SUCH_FILE ? Status : Offered;
}

/* The service that a key's name means, and the key opened. */
static NTSTATUS IopOpenService(PUNICODE_STRING ServiceKey, PWSTR Service, ULONG Characters, PHANDLE Key)
{
    OBJECT_ATTRIBUTES Attributes;
    if (!SepHasPrivilege(SE_LOAD_DRIVER_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    NTSTATUS Status = IopServiceName(ServiceKey, Service, Characters);
    if (!NT_SUCCESS(Status))
        return Status;
    InitializeObjectAttributes(&Attributes, ServiceKey, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return NtOpenKey(Key, KEY_READ, &Attributes);
}

NTSTATUS NTAPI NtLoadDriver(PUNICODE_STRING ServiceKey)
{
    WCHAR Service[64];
    HANDLE Key;
    NTSTATUS Status = IopOpenService(ServiceKey, Service, RTL_NUMBER_OF(Service), &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = IopLoadFromKey(Key, Service);
    NtClose(Key);
    return Status;
}

NTSTATUS NTAPI NtUnloadDriver(PUNICODE_STRING ServiceKey)
{
    WCHAR Service[64];
    HANDLE Key;
    NTSTATUS Status = IopOpenService(ServiceKey, Service, RTL_NUMBER_OF(Service), &Key);
    if (!NT_SUCCESS(Status))
        return Status;
    NtClose(Key);
    return IopUnloadService(Service);
}
