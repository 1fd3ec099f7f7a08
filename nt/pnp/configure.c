/*
 * What an INF file leaves in a device's keys, copied there when the device is first found. The host has put it below
 * Configurations, by the device's id with # for each backslash (host/inf/install.c):
 *
 *   values            -> the device's key below Enum (Class, ClassGUID, DeviceDesc, Mfg, UpperFilters...)
 *   subkey Device     -> "Device Parameters" of that key, IoOpenDeviceRegistryKey's PLUGPLAY_REGKEY_DEVICE
 *   subkey Driver     -> the driver's key of the device's class, PLUGPLAY_REGKEY_DRIVER
 *
 * (docs: "Registry Trees and Keys for Devices and Drivers")
 */
#include "nt.h"
#include "cm/cmp.h"

#define PNP_CONFIGURATIONS L"\\Registry\\Machine\\System\\DriverDatabase\\Configurations\\"
#define PNP_PATH 1024

static VOID PnpCopyValues(HANDLE From, HANDLE To)
{
    for (ULONG Index = 0;; Index++) {
        PKEY_VALUE_FULL_INFORMATION Value = NULL;
        UNICODE_STRING Name;
        ULONG Bytes = 0;
        NTSTATUS Status = NtEnumerateValueKey(From, Index, KeyValueFullInformation, NULL, 0, &Bytes);
        if (Status != STATUS_BUFFER_TOO_SMALL && Status != STATUS_BUFFER_OVERFLOW)
            return;
        Value = ExpAllocate(Bytes, PNP_TAG);
        if (NT_SUCCESS(NtEnumerateValueKey(From, Index, KeyValueFullInformation, Value, Bytes, &Bytes))) {
            Name.Length = Name.MaximumLength = (USHORT)Value->NameLength;
            Name.Buffer = Value->Name;
            NtSetValueKey(To, &Name, 0, Value->Type, (PUCHAR)Value + Value->DataOffset, Value->DataLength);
        }
        ExpFree(Value);
    }
}

/* The next subkey's name behind what Path holds; FALSE: there is none, or no room for it. */
static BOOLEAN PnpAppendSubkey(HANDLE Key, ULONG Index, PWSTR Path)
{
    struct {
        KEY_BASIC_INFORMATION Basic;
        WCHAR Room[256];
    } Subkey;
    ULONG Bytes, Length = (ULONG)wcslen(Path);
    if (!NT_SUCCESS(NtEnumerateKey(Key, Index, KeyBasicInformation, &Subkey, sizeof(Subkey), &Bytes)) ||
        Length + 2 + Subkey.Basic.NameLength / sizeof(WCHAR) > PNP_PATH)
        return FALSE;
    Path[Length++] = L'\\';
    RtlCopyMemory(Path + Length, Subkey.Basic.Name, Subkey.Basic.NameLength);
    Path[Length + Subkey.Basic.NameLength / sizeof(WCHAR)] = 0;
    return TRUE;
}

/* Both paths have room for PNP_PATH units, and are as they were in the end. */
static VOID PnpCopyKey(PWSTR From, PWSTR To, BOOLEAN Below)
{
    SIZE_T FromLength = wcslen(From), ToLength = wcslen(To);
    HANDLE Source, Target;
    if (!NT_SUCCESS(PnpOpenKey(From, FALSE, KEY_READ, &Source)))
        return;
    if (NT_SUCCESS(PnpOpenKey(To, TRUE, KEY_ALL_ACCESS, &Target))) {
        PnpCopyValues(Source, Target);
        NtClose(Target);
    }
    for (ULONG Index = 0; Below && PnpAppendSubkey(Source, Index, From); Index++) {
        if (ToLength + wcslen(From + FromLength) < PNP_PATH) {
            wcscat(To, From + FromLength);
            PnpCopyKey(From, To, TRUE);
        }
        From[FromLength] = To[ToLength] = 0;
    }
    NtClose(Source);
}

/* Is there a configuration for one of the ids, the best first? Its path is left in Path. */
static BOOLEAN PnpFindConfiguration(PCWSTR Ids, PWSTR Path)
{
    HANDLE Key;
    for (; Ids && *Ids; Ids += wcslen(Ids) + 1) {
        wcscpy(Path, PNP_CONFIGURATIONS);
        if (wcslen(Path) + wcslen(Ids) + 16 > PNP_PATH)
            continue;
        PWSTR Id = Path + wcslen(Path);
        wcscat(Path, Ids);
        for (; *Id; Id++)
            *Id = *Id == L'\\' ? L'#' : *Id;
        if (NT_SUCCESS(PnpOpenKey(Path, FALSE, KEY_READ, &Key))) {
            NtClose(Key);
            return TRUE;
        }
    }
    return FALSE;
}

static VOID PnpCopyPart(PWSTR From, PCWSTR Part, PWSTR To)
{
    SIZE_T Length = wcslen(From);
    wcscat(From, Part);
    PnpCopyKey(From, To, TRUE);
    From[Length] = 0;
}

BOOLEAN PnpIsConfigured(PDEVICE_NODE Node)
{
    PKEY_VALUE_PARTIAL_INFORMATION Flags;
    if (!NT_SUCCESS(PnpReadValue(Node, NULL, L"ConfigFlags", &Flags)))
        return FALSE;
    ExpFree(Flags);
    return TRUE;
}

VOID PnpConfigure(PDEVICE_NODE Node)
{
    PWSTR From, To;
    ULONG Zero = 0;
    if (PnpIsConfigured(Node))
        return;
    From = ExpAllocate(2 * PNP_PATH * sizeof(WCHAR), PNP_TAG);
    To = From + PNP_PATH;
    if (PnpFindConfiguration(Node->HardwareIds, From) || PnpFindConfiguration(Node->CompatibleIds, From)) {
        wcscpy(To, PNP_ENUM);
        wcscat(To, Node->InstancePath.Buffer);
        PnpCopyKey(From, To, FALSE);
        wcscat(To, L"\\Device Parameters");
        PnpCopyPart(From, L"\\Device", To);
        PnpDriverKey(Node, To);
        PnpCopyPart(From, L"\\Driver", To);
        PnpWriteValue(Node, NULL, L"ConfigFlags", REG_DWORD, &Zero, sizeof(Zero));
    }
    ExpFree(From);
}
