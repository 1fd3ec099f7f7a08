/*
 * What is known of a device: registry properties (IoGetDeviceProperty), unified properties (IoGetDevicePropertyData), and
 * the device's keys. (docs: the pages of these names, DEVICE_REGISTRY_PROPERTY, "Unified Device Property Model")
 *
 * Most lie in the device's key below Enum, under the names they have on Windows; the others the tree knows.
 */
#include "nt.h"
#include <cfg.h>
#include <devpropdef.h>

/* ---- Registry properties ----------------------------------------------------------------------------------------- */

static const PCWSTR PnpValueNames[] = {
    [DevicePropertyDeviceDescription] = L"DeviceDesc",
    [DevicePropertyHardwareID] = L"HardwareID",
    [DevicePropertyCompatibleIDs] = L"CompatibleIDs",
    [DevicePropertyClassName] = L"Class",
    [DevicePropertyClassGuid] = L"ClassGUID",
    [DevicePropertyDriverKeyName] = L"Driver",
    [DevicePropertyManufacturer] = L"Mfg",
    [DevicePropertyFriendlyName] = L"FriendlyName",
    [DevicePropertyLocationInformation] = L"LocationInformation",
};

static NTSTATUS PnpGiveData(const VOID *Data, ULONG Bytes, PVOID Buffer, ULONG Room, PULONG Length)
{
    *Length = Bytes;
    if (Bytes > Room)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(Buffer, Data, Bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS PnpGiveText(PCWSTR Text, PVOID Buffer, ULONG Room, PULONG Length)
{
    return PnpGiveData(Text, (ULONG)(wcslen(Text) + 1) * sizeof(WCHAR), Buffer, Room, Length);
}

static NTSTATUS PnpGiveValue(PDEVICE_NODE Node, PCWSTR Name, PVOID Buffer, ULONG Room, PULONG Length)
{
    PKEY_VALUE_PARTIAL_INFORMATION Value;
    NTSTATUS Status = PnpReadValue(Node, NULL, Name, &Value);
    if (!NT_SUCCESS(Status))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    Status = PnpGiveData(Value->Data, Value->DataLength, Buffer, Room, Length);
    ExpFree(Value);
    return Status;
}

static NTSTATUS PnpGiveName(PDEVICE_NODE Node, PVOID Buffer, ULONG Room, PULONG Length)
{
    WCHAR Name[128] = {0};
    ULONG Bytes;
    if (!NT_SUCCESS(ObpFullName(Node->Pdo, Name, sizeof(Name) - 2, &Bytes)) || !Bytes)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    return PnpGiveText(Name, Buffer, Room, Length);
}

static NTSTATUS PnpGiveEnumerator(PDEVICE_NODE Node, PVOID Buffer, ULONG Room, PULONG Length)
{
    WCHAR Name[128] = {0};
    for (ULONG i = 0; i < 127 && Node->InstancePath.Buffer[i] && Node->InstancePath.Buffer[i] != L'\\'; i++)
        Name[i] = Node->InstancePath.Buffer[i];
    return PnpGiveText(Name, Buffer, Room, Length);
}

static NTSTATUS PnpGiveResources(PCM_RESOURCE_LIST List, PVOID Buffer, ULONG Room, PULONG Length)
{
    return List ? PnpGiveData(List, PnpResourceBytes(List), Buffer, Room, Length) : STATUS_OBJECT_NAME_NOT_FOUND;
}

static ULONG PnpRemovalPolicy(PDEVICE_NODE Node)
{
    if (Node->Capabilities.SurpriseRemovalOK && Node->Capabilities.Removable)
        return RemovalPolicyExpectSurpriseRemoval;
    return Node->Capabilities.Removable ? RemovalPolicyExpectOrderlyRemoval : RemovalPolicyExpectNoRemoval;
}

static NTSTATUS PnpGiveContainer(PDEVICE_NODE Node, PVOID Buffer, ULONG Room, PULONG Length)
{
    UNICODE_STRING Text;
    NTSTATUS Status = RtlStringFromGUID(&Node->Container, &Text);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = PnpGiveText(Text.Buffer, Buffer, Room, Length);
    RtlFreeUnicodeString(&Text);
    return Status;
}

static NTSTATUS PnpGiveNumber(ULONG Number, BOOLEAN Known, PVOID Buffer, ULONG Room, PULONG Length)
{
    return Known ? PnpGiveData(&Number, sizeof(Number), Buffer, Room, Length) : STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS NTAPI IoGetDeviceProperty(PDEVICE_OBJECT DeviceObject, DEVICE_REGISTRY_PROPERTY Property, ULONG BufferLength,
                                   PVOID Buffer, PULONG ResultLength)
{
    PDEVICE_NODE Node;
    *ResultLength = 0;
    if (!PnpCheckPdo(DeviceObject, "IoGetDeviceProperty"))
        return STATUS_INVALID_DEVICE_REQUEST;
    Node = PnpNodeOf(DeviceObject);
    switch (Property) {
    case DevicePropertyBootConfiguration:
        return PnpGiveResources(Node->Boot, Buffer, BufferLength, ResultLength);
    case DevicePropertyBootConfigurationTranslated:
        return PnpGiveResources(Node->Translated, Buffer, BufferLength, ResultLength);
    case DevicePropertyAllocatedResources:
        return PnpGiveResources(Node->Raw, Buffer, BufferLength, ResultLength);
    case DevicePropertyResourceRequirements:
        if (!Node->Requirements)
            return STATUS_OBJECT_NAME_NOT_FOUND;
        return PnpGiveData(Node->Requirements, Node->Requirements->ListSize, Buffer, BufferLength, ResultLength);
    case DevicePropertyPhysicalDeviceObjectName:
        return PnpGiveName(Node, Buffer, BufferLength, ResultLength);
    case DevicePropertyBusTypeGuid:
        if (!Node->HaveBus)
            return STATUS_OBJECT_NAME_NOT_FOUND;
        return PnpGiveData(&Node->Bus.BusTypeGuid, sizeof(GUID), Buffer, BufferLength, ResultLength);
    case DevicePropertyLegacyBusType:
        return PnpGiveNumber((ULONG)Node->Bus.LegacyBusType, Node->HaveBus, Buffer, BufferLength, ResultLength);
    case DevicePropertyBusNumber:
        return PnpGiveNumber(Node->Bus.BusNumber, Node->HaveBus, Buffer, BufferLength, ResultLength);
    case DevicePropertyEnumeratorName:
        return PnpGiveEnumerator(Node, Buffer, BufferLength, ResultLength);
    case DevicePropertyAddress:
        return PnpGiveNumber(Node->Capabilities.Address, Node->Capabilities.Address != 0xffffffff, Buffer, BufferLength,
                             ResultLength);
    case DevicePropertyUINumber:
        return PnpGiveNumber(Node->Capabilities.UINumber, Node->Capabilities.UINumber != 0xffffffff, Buffer,
                             BufferLength, ResultLength);
    case DevicePropertyInstallState:
        return PnpGiveNumber(InstallStateInstalled, TRUE, Buffer, BufferLength, ResultLength);
    case DevicePropertyRemovalPolicy:
        return PnpGiveNumber(PnpRemovalPolicy(Node), TRUE, Buffer, BufferLength, ResultLength);
    case DevicePropertyContainerID:
        return PnpGiveContainer(Node, Buffer, BufferLength, ResultLength);
    default:
        if ((ULONG)Property < RTL_NUMBER_OF(PnpValueNames) && PnpValueNames[Property])
            return PnpGiveValue(Node, PnpValueNames[Property], Buffer, BufferLength, ResultLength);
        return STATUS_INVALID_PARAMETER_2;
    }
}

/* ---- Unified properties ------------------------------------------------------------------------------------------ */

typedef struct _PNP_PROPERTY {
    LIST_ENTRY Entry;
    DEVPROPKEY Key;
    LCID Lcid;
    DEVPROPTYPE Type;
    ULONG Bytes;
    UCHAR Data[1];
} PNP_PROPERTY, *PPNP_PROPERTY;

VOID PnpFreeProperties(PLIST_ENTRY List)
{
    while (!IsListEmpty(List))
        ExpFree(CONTAINING_RECORD(RemoveHeadList(List), PNP_PROPERTY, Entry));
}

static PPNP_PROPERTY PnpFindProperty(PLIST_ENTRY List, const DEVPROPKEY *Key, LCID Lcid)
{
    for (PLIST_ENTRY Entry = List->Flink; Entry != List; Entry = Entry->Flink) {
        PPNP_PROPERTY Property = CONTAINING_RECORD(Entry, PNP_PROPERTY, Entry);
        if (RtlEqualMemory(&Property->Key, Key, sizeof(*Key)) && Property->Lcid == Lcid)
            return Property;
    }
    return NULL;
}

/* docs: IoSetDevicePropertyData: no data, or the type for nothing, take a property away. */
static NTSTATUS PnpSetProperty(PLIST_ENTRY List, const DEVPROPKEY *Key, LCID Lcid, DEVPROPTYPE Type, ULONG Size,
                               PVOID Data)
{
    PPNP_PROPERTY Old = PnpFindProperty(List, Key, Lcid), New;
    if (!Data || (Type == DEVPROP_TYPE_EMPTY && !Size)) {
        if (!Old)
            return STATUS_OBJECT_NAME_NOT_FOUND;
        RemoveEntryList(&Old->Entry);
        ExpFree(Old);
        return STATUS_SUCCESS;
    }
    if (!PnpIsProperty(Lcid, Type, Size, Data))
        return STATUS_INVALID_PARAMETER;
    New = ExpTryAllocate(sizeof(*New) + Size, PNP_TAG);
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    New->Key = *Key;
    New->Lcid = Lcid;
    New->Type = Type;
    New->Bytes = Size;
    RtlCopyMemory(New->Data, Data, Size);
    if (Old) {
        RemoveEntryList(&Old->Entry);
        ExpFree(Old);
    }
    InsertTailList(List, &New->Entry);
    return STATUS_SUCCESS;
}

static NTSTATUS PnpGetProperty(PLIST_ENTRY List, const DEVPROPKEY *Key, LCID Lcid, ULONG Size, PVOID Data,
                               PULONG Required, DEVPROPTYPE *Type)
{
    PPNP_PROPERTY Property = PnpFindProperty(List, Key, Lcid);
    *Required = 0;
    *Type = DEVPROP_TYPE_EMPTY;
    if (!Property)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    *Type = Property->Type;
    return PnpGiveData(Property->Data, Property->Bytes, Data, Size, Required);
}

/* The properties that mirror registry properties: category {a45c254e-df1c-4efd-8020-67d146a850e0} (devpkey.h). */
static NTSTATUS PnpGetMirror(PDEVICE_OBJECT Pdo, ULONG Id, ULONG Size, PVOID Data, PULONG Required, DEVPROPTYPE *Type)
{
    static const struct {
        UCHAR Id, Property;
        DEVPROPTYPE Type;
    } Mirrors[] = {
        {2, DevicePropertyDeviceDescription, DEVPROP_TYPE_STRING},
        {3, DevicePropertyHardwareID, DEVPROP_TYPE_STRING_LIST},
        {4, DevicePropertyCompatibleIDs, DEVPROP_TYPE_STRING_LIST},
        {9, DevicePropertyClassName, DEVPROP_TYPE_STRING},
        {11, DevicePropertyDriverKeyName, DEVPROP_TYPE_STRING},
        {13, DevicePropertyManufacturer, DEVPROP_TYPE_STRING},
        {14, DevicePropertyFriendlyName, DEVPROP_TYPE_STRING},
        {15, DevicePropertyLocationInformation, DEVPROP_TYPE_STRING},
        {16, DevicePropertyPhysicalDeviceObjectName, DEVPROP_TYPE_STRING},
        {18, DevicePropertyUINumber, DEVPROP_TYPE_UINT32},
        {21, DevicePropertyBusTypeGuid, DEVPROP_TYPE_GUID},
        {22, DevicePropertyLegacyBusType, DEVPROP_TYPE_UINT32},
        {23, DevicePropertyBusNumber, DEVPROP_TYPE_UINT32},
        {24, DevicePropertyEnumeratorName, DEVPROP_TYPE_STRING},
        {30, DevicePropertyAddress, DEVPROP_TYPE_UINT32},
        {33, DevicePropertyRemovalPolicy, DEVPROP_TYPE_UINT32},
    };
    if (Id == 6) {
        *Type = DEVPROP_TYPE_STRING;
        return PnpGiveValue(PnpNodeOf(Pdo), L"Service", Data, Size, Required);
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(Mirrors); i++)
        if (Mirrors[i].Id == Id) {
            *Type = Mirrors[i].Type;
            return IoGetDeviceProperty(Pdo, Mirrors[i].Property, Size, Data, Required);
        }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

/* docs: devpkey.h: the categories of what the system itself knows of a device or an interface. */
static const GUID PnpOfRegistry = {0xa45c254e, 0xdf1c, 0x4efd, {0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}};
static const GUID PnpOfInstance = {0x78c34fc8, 0x104a, 0x4aca, {0x9e, 0xa4, 0x52, 0x4d, 0x52, 0x99, 0x6e, 0x57}};
static const GUID PnpOfNode = {0x4340a6c5, 0x93fa, 0x4706, {0x97, 0x2c, 0x7b, 0x64, 0x80, 0x08, 0xa5, 0xa7}};
static const GUID PnpOfPresence = {0x540b947e, 0x8b40, 0x45bc, {0xa8, 0xa2, 0x6a, 0x0b, 0x89, 0x4c, 0xbd, 0xa2}};
static const GUID PnpOfContainer = {0x8c7ed206, 0x3f8a, 0x4827, {0xb3, 0xab, 0xae, 0x9e, 0x1f, 0xae, 0xfc, 0x6c}};
static const GUID PnpOfInterface = {0x026e516e, 0xb814, 0x414b, {0x83, 0xcd, 0x85, 0x6d, 0x6f, 0xef, 0x48, 0x22}};

static BOOLEAN PnpIsKey(const DEVPROPKEY *Key, const GUID *Category, ULONG Id)
{
    return RtlEqualMemory(&Key->fmtid, Category, sizeof(GUID)) && Key->pid == Id;
}

static NTSTATUS PnpGetFact(PDEVICE_NODE Node, const DEVPROPKEY *Key, ULONG Size, PVOID Data, PULONG Required,
                           DEVPROPTYPE *Type)
{
    static const DEVPROP_BOOLEAN Present = DEVPROP_TRUE;
    ULONG Status = (Node->State == PnpStarted ? DN_DRIVER_LOADED | DN_STARTED : 0) |
                   (Node->Problem ? DN_HAS_PROBLEM : 0) | (Node->Parent == PnpRoot ? DN_ROOT_ENUMERATED : 0);
    *Type = DEVPROP_TYPE_STRING;
    if (PnpIsKey(Key, &PnpOfInstance, 256))
        return PnpGiveText(Node->InstancePath.Buffer, Data, Size, Required);
    if (PnpIsKey(Key, &PnpOfNode, 8) && Node->Parent && Node->Parent->InstancePath.Buffer)
        return PnpGiveText(Node->Parent->InstancePath.Buffer, Data, Size, Required);
    *Type = DEVPROP_TYPE_GUID;
    if (PnpIsKey(Key, &PnpOfContainer, 2))
        return PnpGiveData(&Node->Container, sizeof(GUID), Data, Size, Required);
    *Type = DEVPROP_TYPE_UINT32;
    if (PnpIsKey(Key, &PnpOfNode, 2))
        return PnpGiveData(&Status, sizeof(Status), Data, Size, Required);
    if (PnpIsKey(Key, &PnpOfNode, 3))
        return PnpGiveData(&Node->Problem, sizeof(Node->Problem), Data, Size, Required);
    *Type = DEVPROP_TYPE_BOOLEAN;
    if (PnpIsKey(Key, &PnpOfPresence, 5))
        return PnpGiveData(&Present, sizeof(Present), Data, Size, Required);
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

/* Of the system's own properties a driver may set what is written for people only. NULL = it may not. */
static PCWSTR PnpWritableName(ULONG Id)
{
    return Id == 2 ? L"DeviceDesc" : Id == 14 ? L"FriendlyName" : Id == 15 ? L"LocationInformation" : NULL;
}

static NTSTATUS PnpSetMirror(PDEVICE_NODE Node, PCWSTR Name, DEVPROPTYPE Type, ULONG Size, PVOID Data)
{
    if (!Data || (Type == DEVPROP_TYPE_EMPTY && !Size))
        return PnpDeleteValue(Node, Name);
    if (Type != DEVPROP_TYPE_STRING || !PnpIsProperty(0, Type, Size, Data))
        return STATUS_INVALID_PARAMETER;
    return PnpWriteValue(Node, NULL, Name, REG_SZ, Data, Size);
}

NTSTATUS NTAPI IoSetDevicePropertyData(PDEVICE_OBJECT Pdo, const DEVPROPKEY *Key, LCID Lcid, ULONG Flags,
                                       DEVPROPTYPE Type, ULONG Size, PVOID Data)
{
    static const GUID *const Own[] = {&PnpOfRegistry, &PnpOfNode, &PnpOfPresence, &PnpOfContainer};
    if (!PnpCheckPdo(Pdo, "IoSetDevicePropertyData"))
        return STATUS_INVALID_DEVICE_REQUEST;
    PDEVICE_NODE Node = PnpNodeOf(Pdo);
    if (PnpIsKey(Key, &PnpOfRegistry, Key->pid) && PnpWritableName(Key->pid))
        return PnpSetMirror(Node, PnpWritableName(Key->pid), Type, Size, Data);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Own); i++)
        if (PnpIsKey(Key, Own[i], Key->pid))
            return STATUS_ACCESS_DENIED;
    if (PnpIsKey(Key, &PnpOfInstance, 256))
        return STATUS_ACCESS_DENIED;
    return PnpSetProperty(&Node->Properties, Key, Lcid, Type, Size, Data);
}

NTSTATUS NTAPI IoGetDevicePropertyData(PDEVICE_OBJECT Pdo, const DEVPROPKEY *Key, LCID Lcid, ULONG Flags, ULONG Size,
                                       PVOID Data, PULONG Required, DEVPROPTYPE *Type)
{
    ULONG Bytes;
    if (!PnpCheckPdo(Pdo, "IoGetDevicePropertyData"))
        return STATUS_INVALID_DEVICE_REQUEST;
    if (!Required) /* who has the room need not ask */
        Required = &Bytes;
    NTSTATUS Status = PnpGetProperty(&PnpNodeOf(Pdo)->Properties, Key, Lcid, Size, Data, Required, Type);
    if (Status != STATUS_OBJECT_NAME_NOT_FOUND)
        return Status;
    Status = PnpIsKey(Key, &PnpOfRegistry, Key->pid) ? PnpGetMirror(Pdo, Key->pid, Size, Data, Required, Type)
                                                     : PnpGetFact(PnpNodeOf(Pdo), Key, Size, Data, Required, Type);
    if (Status == STATUS_OBJECT_NAME_NOT_FOUND)
        *Type = DEVPROP_TYPE_EMPTY;
    return Status;
}

NTSTATUS NTAPI IoSetDeviceInterfacePropertyData(PUNICODE_STRING Link, const DEVPROPKEY *Key, LCID Lcid, ULONG Flags,
                                                DEVPROPTYPE Type, ULONG Size, PVOID Data)
{
    if (!Link || !Link->Length)
        return STATUS_INVALID_PARAMETER;
    PLIST_ENTRY List = PnpInterfaceProperties(Link);
    if (!List)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (PnpIsKey(Key, &PnpOfInterface, 3) || PnpIsKey(Key, &PnpOfInterface, 4) || PnpIsKey(Key, &PnpOfInstance, 256))
        return STATUS_ACCESS_DENIED;
    return PnpSetProperty(List, Key, Lcid, Type, Size, Data);
}

NTSTATUS NTAPI IoGetDeviceInterfacePropertyData(PUNICODE_STRING Link, const DEVPROPKEY *Key, LCID Lcid, ULONG Flags,
                                                ULONG Size, PVOID Data, PULONG Required, DEVPROPTYPE *Type)
{
    GUID Class;
    BOOLEAN Enabled;
    ULONG Bytes;
    if (!Link || !Link->Length)
        return STATUS_INVALID_PARAMETER;
    if (!Required)
        Required = &Bytes;
    PDEVICE_NODE Node = PnpInterfaceFacts(Link, &Class, &Enabled);
    if (!Node)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (PnpIsKey(Key, &PnpOfInterface, 3)) {
        DEVPROP_BOOLEAN Is = Enabled ? DEVPROP_TRUE : DEVPROP_FALSE;
        *Type = DEVPROP_TYPE_BOOLEAN;
        return PnpGiveData(&Is, sizeof(Is), Data, Size, Required);
    }
    if (PnpIsKey(Key, &PnpOfInterface, 4)) {
        *Type = DEVPROP_TYPE_GUID;
        return PnpGiveData(&Class, sizeof(Class), Data, Size, Required);
    }
    if (PnpIsKey(Key, &PnpOfInstance, 256)) {
        *Type = DEVPROP_TYPE_STRING;
        return PnpGiveText(Node->InstancePath.Buffer, Data, Size, Required);
    }
    return PnpGetProperty(PnpInterfaceProperties(Link), Key, Lcid, Size, Data, Required, Type);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

VOID PnpDriverKey(PDEVICE_NODE Node, PWSTR Path)
{
    static ULONG Next;
    PKEY_VALUE_PARTIAL_INFORMATION Value, Class;
    CHAR Number[8];
    SIZE_T Length = wcslen(wcscpy(Path, PNP_CLASS));
    if (NT_SUCCESS(PnpReadValue(Node, NULL, L"Driver", &Value))) {
        wcsncat(Path, (PWSTR)Value->Data, 128);
        ExpFree(Value);
        return;
    }
    if (NT_SUCCESS(PnpReadValue(Node, NULL, L"ClassGUID", &Class))) {
        wcsncat(Path, (PWSTR)Class->Data, 40);
        ExpFree(Class);
    } else
        wcscat(Path, L"{4d36e97d-e325-11ce-bfc1-08002be10318}"); /* system devices */
    RtlpFormat(Number, sizeof(Number), "\\%04u", Next++);
    RtlpFromUtf8(Path + wcslen(Path), sizeof(Number), Number);
    PnpWriteValue(Node, NULL, L"Driver", REG_SZ, Path + Length, (ULONG)(wcslen(Path + Length) + 1) * sizeof(WCHAR));
}

/* docs: IoOpenDeviceRegistryKey: below the device's key in "Device Parameters", or the driver's key of the device's class. */
NTSTATUS NTAPI IoOpenDeviceRegistryKey(PDEVICE_OBJECT Pdo, ULONG Type, ACCESS_MASK Access, PHANDLE Handle)
{
    WCHAR Path[768];
    PDEVICE_NODE Node;
    *Handle = NULL;
    if (!(Type & (PLUGPLAY_REGKEY_DEVICE | PLUGPLAY_REGKEY_DRIVER)))
        return STATUS_INVALID_PARAMETER;
    Node = Pdo ? PnpNodeOf(Pdo) : NULL;
    if (!Node || !Node->InstancePath.Buffer)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (Type & PLUGPLAY_REGKEY_DEVICE) {
        wcscpy(Path, PNP_ENUM);
        wcscat(Path, Node->InstancePath.Buffer);
        wcscat(Path, L"\\Device Parameters");
    } else
        PnpDriverKey(Node, Path);
    return PnpOpenKey(Path, TRUE, Access, Handle);
}
