/*
 * The manager's side towards the operator: when Plug and Play begins, what becomes of a driver that has been loaded, the
 * end of a run, and what the user does to devices.
 *
 * It begins at the first driver with an AddDevice routine, the first binding, or the first routine of it that a driver
 * calls; until then a machine has no tree and no bus is asked. A driver with AddDevice that nobody has bound gets a root
 * device of its own, "Root\NAME", so that it is exercised: on Windows an INF or an installer would have made it.
 */
#include "nt.h"
#include "cm/cmp.h"
#include <initguid.h>
#include <wdmguid.h>

VOID PnpInitialize(VOID)
{
    if (PnpRoot)
        return;
    PnpInitializeRoot();
    PciInitialize();
}

/* ---- Keys below Enum\Root ---------------------------------------------------------------------------------------- */

/* Enum\Root\ID\INSTANCE with a Service: a device. */
static VOID PnpRootKey(PCWSTR Id, PCWSTR Instance, HANDLE Key)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"HardwareID"), Service = RTL_CONSTANT_STRING(L"Service");
    UCHAR Buffer[1024];
    PKEY_VALUE_PARTIAL_INFORMATION Value = (PVOID)Buffer;
    WCHAR Device[256] = L"ROOT\\", Path[300];
    PDEVICE_OBJECT Pdo;
    ULONG Bytes;
    if (!NT_SUCCESS(NtQueryValueKey(Key, &Service, KeyValuePartialInformation, Buffer, sizeof(Buffer), &Bytes)))
        return;
    wcsncat(Device, Id, 200);
    wcscpy(Path, Device);
    wcscat(Path, L"\\");
    wcsncat(Path, Instance, 40);
    for (PDEVICE_NODE Node = PnpRoot; Node; Node = PnpNextNode(Node, PnpRoot))
        if (Node->InstancePath.Buffer && !_wcsicmp(Node->InstancePath.Buffer, Path))
            return;
    RtlZeroMemory(Buffer, sizeof(Buffer));
    if (!NT_SUCCESS(NtQueryValueKey(Key, &Name, KeyValuePartialInformation, Buffer, sizeof(Buffer) - 4, &Bytes)))
        wcscpy((PWSTR)Value->Data, Device);
    PnpMakeRootDevice(Device, Instance, (PWSTR)Value->Data, &Pdo);
}

static BOOLEAN PnpNthKey(HANDLE Key, ULONG Index, PCWSTR Path, PWSTR Name, PHANDLE Child)
{
    UCHAR Buffer[512];
    PKEY_BASIC_INFORMATION Basic = (PVOID)Buffer;
    WCHAR Full[600];
    ULONG Bytes;
    if (!NT_SUCCESS(NtEnumerateKey(Key, Index, KeyBasicInformation, Buffer, sizeof(Buffer), &Bytes)))
        return FALSE;
    RtlCopyMemory(Name, Basic->Name, Basic->NameLength);
    Name[Basic->NameLength / sizeof(WCHAR)] = 0;
    wcscpy(Full, Path);
    wcscat(Full, L"\\");
    wcscat(Full, Name);
    return NT_SUCCESS(PnpOpenKey(Full, FALSE, KEY_READ, Child));
}

static VOID PnpScanRootKeys(VOID)
{
    WCHAR Id[256], Instance[256], Path[600];
    HANDLE Root, IdKey, Key;
    if (!NT_SUCCESS(PnpOpenKey(PNP_ENUM L"Root", FALSE, KEY_READ, &Root)))
        return;
    for (ULONG i = 0; PnpNthKey(Root, i, PNP_ENUM L"Root", Id, &IdKey); i++) {
        wcscpy(Path, PNP_ENUM L"Root\\");
        wcscat(Path, Id);
        for (ULONG j = 0; PnpNthKey(IdKey, j, Path, Instance, &Key); j++) {
            PnpRootKey(Id, Instance, Key);
            NtClose(Key);
        }
        NtClose(IdKey);
    }
    NtClose(Root);
}

/* ---- Drivers ----------------------------------------------------------------------------------------------------- */

/* Does the key's value name it, alone or in a list? */
static BOOLEAN PnpNames(HANDLE Key, PCWSTR Value, PCWSTR Service)
{
    PKEY_VALUE_PARTIAL_INFORMATION Data;
    BOOLEAN Found;
    if (!NT_SUCCESS(PnpReadFrom(Key, Value, &Data)))
        return FALSE;
    Found = PnpListHas((PWSTR)Data->Data, Service);
    ExpFree(Data);
    return Found;
}

static const PCWSTR PnpDriverValues[] = {L"Service", L"UpperFilters", L"LowerFilters"};

static BOOLEAN PnpKeyNames(HANDLE Key, PCWSTR Service)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(PnpDriverValues); i++)
        if (PnpNames(Key, PnpDriverValues[i], Service))
            return TRUE;
    return FALSE;
}

/* Is it a filter of a class of devices? */
static BOOLEAN PnpIsClassFilter(PCWSTR Service)
{
    WCHAR Class[256];
    HANDLE Classes, Key;
    BOOLEAN Found = FALSE;
    if (!NT_SUCCESS(PnpOpenKey(PNP_CLASS_KEY, FALSE, KEY_READ, &Classes)))
        return FALSE;
    for (ULONG i = 0; !Found && PnpNthKey(Classes, i, PNP_CLASS_KEY, Class, &Key); i++) {
        Found = PnpKeyNames(Key, Service);
        NtClose(Key);
    }
    NtClose(Classes);
    return Found;
}

/* Does the key of a device, or of a class, name it? */
static BOOLEAN PnpIsService(PDRIVER_OBJECT Driver)
{
    PWSTR Name = Driver->DriverExtension->ServiceKeyName.Buffer;
    for (PDEVICE_NODE Node = PnpRoot; Node; Node = PnpNextNode(Node, PnpRoot)) {
        BOOLEAN Found;
        HANDLE Key;
        if (!Node->InstancePath.Buffer || !NT_SUCCESS(PnpOpenNode(Node, NULL, FALSE, &Key)))
            continue;
        Found = PnpKeyNames(Key, Name);
        NtClose(Key);
        if (Found)
            return TRUE;
    }
    return PnpIsClassFilter(Name);
}

static NTSTATUS PnpDriverAction(PDEVICE_OBJECT Device, PVOID Context)
{
    PDRIVER_OBJECT Driver = Context;
    PnpScanRootKeys();
    if (Driver->DriverExtension->AddDevice && !PnpIsBound(Driver) && !PnpIsService(Driver)) {
        WCHAR Id[128] = L"Root\\", Ids[129] = {0};
        PDEVICE_OBJECT Pdo;
        PWSTR Name = Driver->DriverExtension->ServiceKeyName.Buffer;
        wcsncat(Id, Name, 64);
        wcscpy(Ids, Id);
        if (NT_SUCCESS(PnpMakeRootDevice(Id, NULL, Ids, &Pdo)))
            PnpWriteValue(PnpNodeOf(Pdo), NULL, L"Service", REG_SZ, Name, (ULONG)(wcslen(Name) + 1) * sizeof(WCHAR));
    }
    return PnpStartAll(NULL, NULL);
}

VOID PnpDriverLoaded(PDRIVER_OBJECT Driver)
{
    if (!PnpRoot && !Driver->DriverExtension->AddDevice)
        return;
    PnpInitialize();
    PnpRun(PnpDriverAction, NULL, Driver);
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

static NTSTATUS PnpEndAction(PDEVICE_OBJECT Device, PVOID Context)
{
    for (PLIST_ENTRY Entry = PnpRoot->Children.Blink, Before; Entry != &PnpRoot->Children; Entry = Before) {
        PDEVICE_NODE Node = CONTAINING_RECORD(Entry, DEVICE_NODE, Sibling);
        Before = Entry->Blink;
        if (Node->Own) { /* a bus of ours stays; what is on it goes */
            for (PLIST_ENTRY Child = Node->Children.Blink; Child != &Node->Children; Child = Child->Blink)
                if (CONTAINING_RECORD(Child, DEVICE_NODE, Sibling)->State == PnpStarted)
                    PnpRemoveTree(CONTAINING_RECORD(Child, DEVICE_NODE, Sibling));
        } else if (Node->State == PnpStarted)
            PnpRemoveTree(Node);
    }
    return STATUS_SUCCESS;
}

VOID PnpEndOfRun(VOID)
{
    if (PnpRoot)
        PnpRun(PnpEndAction, NULL, NULL);
    PnpHaveAsked = TRUE;
}

/* ---- What the user does ------------------------------------------------------------------------------------------ */

static NTSTATUS PnpArrive(PCSTR Name)
{
    PDEVICE_NODE Node = strchr(Name, '=') ? NULL : PnpFindNode(Name);
    NTSTATUS Status = STATUS_SUCCESS;
    if (Node && Node->Disabled) { /* ejected or removed before, and still there */
        Node->Disabled = FALSE;
        Node->Problem = 0;
        Node->State = PnpEnumerated;
    } else
        Status = PnpBind(Name);
    return NT_SUCCESS(Status) ? PnpStartAll(NULL, NULL) : Status;
}

static NTSTATUS PnpPull(PDEVICE_NODE Node)
{
    PDEVICE_OBJECT Pdo = Node->Pdo;
    ObfReferenceObject(Pdo);
    Node->Seen = FALSE;
    if (PnpIsRootDevice(Pdo))
        PnpDeleteRootDevice(Pdo);
    if (PnpNodeOf(Pdo)) {
        Node->Disabled = TRUE;
        PnpSurpriseTree(Node);
    }
    ObfDereferenceObject(Pdo);
    return STATUS_SUCCESS;
}

static NTSTATUS PnpRemoveByUser(PDEVICE_NODE Node)
{
    PDEVICE_OBJECT Pdo = Node->Pdo;
    ObfReferenceObject(Pdo);
    NTSTATUS Status = PnpRemoveTree(Node);
    if (NT_SUCCESS(Status) && PnpNodeOf(Pdo))
        PnpNodeOf(Pdo)->Disabled = TRUE;
    ObfDereferenceObject(Pdo);
    return Status;
}

/* docs: IRP_MN_DEVICE_USAGE_NOTIFICATION: what a paging file put on the device, or taken away, brings about. */
static NTSTATUS PnpUse(PDEVICE_NODE Node, BOOLEAN InPath)
{
    IO_STACK_LOCATION Stack = {.Parameters.UsageNotification = {.InPath = InPath, .Type = DeviceUsageTypePaging}};
    return PnpSend(Node->Pdo, IRP_MN_DEVICE_USAGE_NOTIFICATION, &Stack, NULL);
}

static NTSTATUS PnpProfile(VOID)
{
    NTSTATUS Status = PnpNotifyProfile(&GUID_HWPROFILE_QUERY_CHANGE);
    return NT_SUCCESS(Status) ? PnpNotifyProfile(&GUID_HWPROFILE_CHANGE_COMPLETE) : Status;
}

static NTSTATUS PnpOperateAction(PDEVICE_OBJECT Device, PVOID Context)
{
    struct door_command *Command = Context;
    PDEVICE_NODE Node;
    if (Command->value == DOOR_DEVICE_ARRIVES)
        return PnpArrive(Command->text);
    if (Command->value == DOOR_DEVICE_PROFILE)
        return PnpProfile();
    Node = PnpFindNode(Command->text);
    if (!Node || Node == PnpRoot)
        return STATUS_NO_SUCH_DEVICE;
    switch (Command->value) {
    case DOOR_DEVICE_REMOVE:
        return PnpRemoveByUser(Node);
    case DOOR_DEVICE_SURPRISE:
        return PnpPull(Node);
    case DOOR_DEVICE_EJECT:
        return PnpEject(Node->Pdo, NULL);
    case DOOR_DEVICE_REBALANCE:
        return PnpRestartNode(Node);
    case DOOR_DEVICE_PAGING:
        return PnpUse(Node, TRUE);
    case DOOR_DEVICE_NO_PAGING:
        return PnpUse(Node, FALSE);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

NTSTATUS PnpOperate(struct door_command *Command)
{
    if (Command->value == DOOR_DEVICE_BIND)
        return PnpBind(Command->text);
    PnpInitialize();
    return PnpRun(PnpOperateAction, NULL, Command);
}
