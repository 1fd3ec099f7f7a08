/*
 * Interfaces, notifications, properties and keys of a device, right and wrong arguments.
 *
 * OPTIONS: --for 1s
 */
#include "pnp.h"
#include "simple.h"
#include <initguid.h>
#include <wdmguid.h>
#include <devpropdef.h>

static const GUID Class = {0x11111111, 0x2222, 0x3333, {0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb}};
static const GUID Other = {0x11111112, 0x2222, 0x3333, {0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb}};
static UNICODE_STRING Link, Second;
static PVOID Entry, Target, Profile;
static PFILE_OBJECT File;
static PDRIVER_OBJECT Mine;
static ULONG Arrivals, Removals, Existing, Custom, Queries, Gone, Profiles;
static BOOLEAN Registering;

static NTSTATUS NTAPI InterfaceChanged(PVOID Structure, PVOID Context)
{
    PDEVICE_INTERFACE_CHANGE_NOTIFICATION Change = Structure;
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(Context == &Class);
    CHECK(Change->Version == 1 && Change->Size == sizeof(*Change));
    CHECK(RtlEqualMemory(&Change->InterfaceClassGuid, &Class, sizeof(GUID)));
    CHECK(RtlPrefixUnicodeString(&(UNICODE_STRING)RTL_CONSTANT_STRING(L"\\??\\"), Change->SymbolicLinkName, FALSE));
    if (Registering)
        Existing++;
    else if (RtlEqualMemory(&Change->Event, &GUID_DEVICE_INTERFACE_ARRIVAL, sizeof(GUID)))
        Arrivals++;
    else if (RtlEqualMemory(&Change->Event, &GUID_DEVICE_INTERFACE_REMOVAL, sizeof(GUID)))
        Removals++;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI TargetChanged(PVOID Structure, PVOID Context)
{
    PTARGET_DEVICE_REMOVAL_NOTIFICATION Change = Structure;
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(Change->FileObject == File);
    if (RtlEqualMemory(&Change->Event, &GUID_TARGET_DEVICE_QUERY_REMOVE, sizeof(GUID))) {
        Queries++;
        ObDereferenceObject(File); /* lets go of the device, so that it can be removed */
    } else if (RtlEqualMemory(&Change->Event, &GUID_TARGET_DEVICE_REMOVE_COMPLETE, sizeof(GUID)))
        Gone++;
    else
        Custom++;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI ProfileChanged(PVOID Structure, PVOID Context)
{
    PHWPROFILE_CHANGE_NOTIFICATION Change = Structure;
    CHECK(Change->Version == 1 && Change->Size == sizeof(*Change));
    Profiles++;
    return STATUS_SUCCESS;
}

static void WrongLinks(void)
{
    static const PCWSTR Bad[] = {L"",
                                 L"\\",
                                 L"\\??\\",
                                 L"\\aaaaa",
                                 L"\\??\\X",
                                 L"\\??\\X#{11111111-2222-3333-4455-66778899aabb",
                                 L"\\??\\{11111111-2222-3333-4455-66778899aabb}"};
    static const PCWSTR None[] = {L"\\??\\X#{11111111-2222-3333-4455-66778899aabb}",
                                  L"\\\\?\\X#{11111111-2222-3333-4455-66778899aabb}",
                                  L"\\??\\X#{11111111-2222-3333-4455-66778899aabb}\\ref"};
    UNICODE_STRING Name = {0};
    STATUS(IoSetDeviceInterfaceState(NULL, TRUE), STATUS_INVALID_PARAMETER);
    STATUS(IoSetDeviceInterfaceState(&Name, FALSE), STATUS_INVALID_PARAMETER);
    for (ULONG i = 0; i < ARRAYSIZE(Bad); i++) {
        RtlInitUnicodeString(&Name, Bad[i]);
        STATUS(IoSetDeviceInterfaceState(&Name, TRUE), STATUS_INVALID_PARAMETER);
        STATUS(IoSetDeviceInterfaceState(&Name, FALSE), STATUS_INVALID_PARAMETER);
    }
    for (ULONG i = 0; i < ARRAYSIZE(None); i++) {
        RtlInitUnicodeString(&Name, None[i]);
        STATUS(IoSetDeviceInterfaceState(&Name, TRUE), STATUS_OBJECT_NAME_NOT_FOUND);
        STATUS(IoSetDeviceInterfaceState(&Name, FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    }
}

/* A name that ends where its memory ends: nothing behind it is read. */
static void NoTerminator(void)
{
    UNICODE_STRING Name;
    PWSTR Buffer = ExAllocatePoolWithTag(NonPagedPool, Link.Length, 'tnIT');
    RtlCopyMemory(Buffer, Link.Buffer, Link.Length);
    Name.Buffer = Buffer;
    Name.Length = Name.MaximumLength = Link.Length;
    STATUS(IoSetDeviceInterfaceState(&Name, TRUE), STATUS_OBJECT_NAME_EXISTS);
    ExFreePoolWithTag(Buffer, 'tnIT');
}

static void Registration(PDEVICE_OBJECT Pdo)
{
    UNICODE_STRING Reference = RTL_CONSTANT_STRING(L"ref"), BadReference = RTL_CONSTANT_STRING(L"a\\b"), Again, Alias;
    UNICODE_STRING Want = RTL_CONSTANT_STRING(L"\\??\\ROOT#INTERFACES#0000#{11111111-2222-3333-4455-66778899aabb}");
    PWSTR List;
    OK(IoRegisterDeviceInterface(Pdo, &Class, NULL, &Link));
    CHECK(RtlEqualUnicodeString(&Link, &Want, TRUE));
    CHECK(Link.Buffer[Link.Length / 2] == 0);
    OK(IoRegisterDeviceInterface(Pdo, &Class, NULL, &Again)); /* the same one */
    CHECK(RtlEqualUnicodeString(&Link, &Again, FALSE));
    RtlFreeUnicodeString(&Again);
    OK(IoRegisterDeviceInterface(Pdo, &Other, &Reference, &Second));
    CHECK(Second.Length == Want.Length + 4 * sizeof(WCHAR));
    STATUS(IoRegisterDeviceInterface(Pdo, &Class, &BadReference, &Again), STATUS_INVALID_DEVICE_REQUEST);
    STATUS(IoSetDeviceInterfaceState(&Link, FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(IoGetDeviceInterfaces(&Class, NULL, 0, &List));
    CHECK(!*List);
    ExFreePool(List);
    OK(IoGetDeviceInterfaces(&Class, Pdo, DEVICE_INTERFACE_INCLUDE_NONACTIVE, &List));
    CHECK(!wcscmp(List, Link.Buffer) && !List[wcslen(List) + 1]);
    ExFreePool(List);
    STATUS(IoGetDeviceInterfaceAlias(&Link, &Other, &Alias),
           STATUS_OBJECT_NAME_NOT_FOUND); /* another reference string */
    OK(IoSetDeviceInterfaceState(&Link, TRUE));
    STATUS(IoSetDeviceInterfaceState(&Link, TRUE), STATUS_OBJECT_NAME_EXISTS);
    OK(IoGetDeviceInterfaces(&Class, NULL, 0, &List));
    CHECK(!wcscmp(List, Link.Buffer));
    ExFreePool(List);
    NoTerminator();
}

static void Listen(void)
{
    STATUS(IoRegisterPlugPlayNotification(17, 0, NULL, Mine, InterfaceChanged, NULL, &Entry), STATUS_INVALID_PARAMETER);
    Registering = TRUE;
    OK(IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange,
                                      PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES, (PVOID)&Class, Mine,
                                      InterfaceChanged, (PVOID)&Class, &Entry));
    Registering = FALSE;
    CHECK(Existing == 1);
    OK(IoRegisterPlugPlayNotification(EventCategoryHardwareProfileChange, 0, NULL, Mine, ProfileChanged, NULL,
                                      &Profile));
}

#define CATEGORY_REGISTRY                                                                                              \
    {                                                                                                                  \
        0xa45c254e, 0xdf1c, 0x4efd,                                                                                    \
        {                                                                                                              \
            0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0                                                             \
        }                                                                                                              \
    }
#define CATEGORY_NODE                                                                                                  \
    {                                                                                                                  \
        0x4340a6c5, 0x93fa, 0x4706,                                                                                    \
        {                                                                                                              \
            0x97, 0x2c, 0x7b, 0x64, 0x80, 0x08, 0xa5, 0xa7                                                             \
        }                                                                                                              \
    }
#define CATEGORY_INTERFACE                                                                                             \
    {                                                                                                                  \
        0x026e516e, 0xb814, 0x414b,                                                                                    \
        {                                                                                                              \
            0x83, 0xcd, 0x85, 0x6d, 0x6f, 0xef, 0x48, 0x22                                                             \
        }                                                                                                              \
    }
#define CATEGORY_INSTANCE                                                                                              \
    {                                                                                                                  \
        0x78c34fc8, 0x104a, 0x4aca,                                                                                    \
        {                                                                                                              \
            0x9e, 0xa4, 0x52, 0x4d, 0x52, 0x99, 0x6e, 0x57                                                             \
        }                                                                                                              \
    }

/* docs: devpkey.h: properties that the system keeps: a driver reads them, and changes a few that are for people. */
static VOID WhatTheSystemKnows(PDEVICE_OBJECT Pdo)
{
    static const DEVPROPKEY Friendly = {CATEGORY_REGISTRY, 14}, HardwareIds = {CATEGORY_REGISTRY, 3},
                            Status = {CATEGORY_NODE, 2}, Problem = {CATEGORY_NODE, 3}, Parent = {CATEGORY_NODE, 8},
                            Instance = {CATEGORY_INSTANCE, 256}, Enabled = {CATEGORY_INTERFACE, 3},
                            ClassGuid = {CATEGORY_INTERFACE, 4};
    UNICODE_STRING Empty = {0};
    WCHAR Text[64];
    DEVPROPTYPE Type;
    ULONG Bytes, Number = 0;
    UCHAR Is;
    GUID Guid;
    OK(IoGetDevicePropertyData(Pdo, &Status, 0, 0, sizeof(Number), &Number, &Bytes, &Type));
    CHECK(Type == DEVPROP_TYPE_UINT32 && Bytes == 4);
    OK(IoGetDevicePropertyData(Pdo, &Problem, 0, 0, sizeof(Number), &Number, &Bytes, &Type));
    CHECK(Number == 0);
    OK(IoGetDevicePropertyData(Pdo, &Parent, 0, 0, sizeof(Text), Text, &Bytes, &Type));
    CHECK(Type == DEVPROP_TYPE_STRING);
    OK(IoGetDevicePropertyData(Pdo, &Instance, 0, 0, sizeof(Text), Text, &Bytes, &Type));
    CHECK(!_wcsnicmp(Text, L"ROOT\\", 5) && Bytes == (wcslen(Text) + 1) * sizeof(WCHAR));
    STATUS(IoSetDevicePropertyData(Pdo, &Instance, 0, 0, DEVPROP_TYPE_STRING, 4, L"a"), STATUS_ACCESS_DENIED);
    STATUS(IoSetDevicePropertyData(Pdo, &HardwareIds, 0, 0, DEVPROP_TYPE_STRING_LIST, 6, L"a\0"), STATUS_ACCESS_DENIED);
    OK(IoSetDevicePropertyData(Pdo, &Friendly, 0, 0, DEVPROP_TYPE_STRING, 12, L"Fred "));
    OK(IoGetDeviceProperty(Pdo, DevicePropertyFriendlyName, sizeof(Text), Text, &Bytes));
    CHECK(Bytes == 12 && !wcscmp(Text, L"Fred "));
    STATUS(IoSetDevicePropertyData(Pdo, &Friendly, 0, 0, DEVPROP_TYPE_UINT32, 4, &Number), STATUS_INVALID_PARAMETER);
    OK(IoSetDevicePropertyData(Pdo, &Friendly, 0, 0, DEVPROP_TYPE_EMPTY, 0, NULL));
    STATUS(IoGetDevicePropertyData(Pdo, &Friendly, 0, 0, sizeof(Text), Text, &Bytes, &Type),
           STATUS_OBJECT_NAME_NOT_FOUND);
    OK(IoGetDeviceInterfacePropertyData(&Link, &ClassGuid, 0, 0, sizeof(Guid), &Guid, &Bytes, &Type));
    CHECK(Type == DEVPROP_TYPE_GUID && Bytes == sizeof(Guid));
    OK(IoGetDeviceInterfacePropertyData(&Link, &Enabled, 0, 0, sizeof(Is), &Is, &Bytes, &Type));
    CHECK(Type == DEVPROP_TYPE_BOOLEAN && (Is == 0 || Is == (UCHAR)DEVPROP_TRUE));
    OK(IoGetDeviceInterfacePropertyData(&Link, &Instance, 0, 0, sizeof(Text), Text, &Bytes, &Type));
    STATUS(IoSetDeviceInterfacePropertyData(&Link, &ClassGuid, 0, 0, DEVPROP_TYPE_GUID, sizeof(Guid), &Guid),
           STATUS_ACCESS_DENIED);
    STATUS(IoSetDeviceInterfacePropertyData(&Empty, &ClassGuid, 0, 0, DEVPROP_TYPE_GUID, sizeof(Guid), &Guid),
           STATUS_INVALID_PARAMETER);
    STATUS(IoGetDeviceInterfacePropertyData(NULL, &ClassGuid, 0, 0, sizeof(Guid), &Guid, &Bytes, &Type),
           STATUS_INVALID_PARAMETER);
}

/* docs: DEVPROPTYPE and the page of each type. */
static VOID TypesOfProperties(PDEVICE_OBJECT Pdo, const DEVPROPKEY *Key)
{
    static const LONGLONG Before1601 = -1;
    static const UCHAR True = (UCHAR)DEVPROP_TRUE, One = 1;
    static const struct {
        DEVPROPTYPE Type;
        const VOID *Data;
        ULONG Bytes;
        BOOLEAN Good;
    } Rows[] = {{DEVPROP_TYPE_STRING, L"abc", 8, TRUE},
                {DEVPROP_TYPE_STRING, L"abc", 6, FALSE}, /* no terminator */
                {DEVPROP_TYPE_STRING, L"a\0b", 8, FALSE},
                {DEVPROP_TYPE_STRING, L"a", 3, FALSE},
                {DEVPROP_TYPE_STRING | DEVPROP_TYPEMOD_ARRAY, L"abc", 8, FALSE},
                {DEVPROP_TYPE_STRING_LIST, L"a\0b\0", 10, TRUE},
                {DEVPROP_TYPE_STRING_LIST, L"a\0b", 8, FALSE},
                {DEVPROP_TYPE_STRING_LIST, L"", 2, TRUE},
                {DEVPROP_TYPE_STRING_LIST, L"\0", 4, FALSE},
                {DEVPROP_TYPE_UINT32, L"ab", 4, TRUE},
                {DEVPROP_TYPE_UINT32, L"ab", 3, FALSE},
                {DEVPROP_TYPE_UINT32 | DEVPROP_TYPEMOD_ARRAY, L"abcd", 8, TRUE},
                {DEVPROP_TYPE_UINT32 | DEVPROP_TYPEMOD_LIST, L"ab", 4, FALSE},
                {DEVPROP_TYPE_UINT32 | 0x4000, L"ab", 4, FALSE},
                {MAX_DEVPROP_TYPE + 1, L"ab", 4, FALSE},
                {DEVPROP_TYPE_BOOLEAN, &True, 1, TRUE},
                {DEVPROP_TYPE_BOOLEAN, &One, 1, FALSE},
                {DEVPROP_TYPE_FILETIME, &Before1601, 8, FALSE},
                {DEVPROP_TYPE_BINARY, &One, 0, FALSE},
                {DEVPROP_TYPE_BINARY, &One, 1, TRUE},
                {DEVPROP_TYPE_NULL, &One, 0, TRUE},
                {DEVPROP_TYPE_EMPTY, &One, 1, FALSE},
                {DEVPROP_TYPE_STRING_INDIRECT, L"@a,%b%;c", 18, TRUE}};
    UCHAR Read[32];
    DEVPROPTYPE Type;
    ULONG Bytes;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        STATUS(IoSetDevicePropertyData(Pdo, Key, 0, 0, Rows[i].Type, Rows[i].Bytes, (PVOID)Rows[i].Data),
               Rows[i].Good ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        if (!Rows[i].Good) {
            STATUS(IoGetDevicePropertyData(Pdo, Key, 0, 0, sizeof(Read), Read, &Bytes, &Type),
                   STATUS_OBJECT_NAME_NOT_FOUND);
            continue;
        }
        OK(IoGetDevicePropertyData(Pdo, Key, 0, 0, sizeof(Read), Read, &Bytes, &Type));
        CHECK(Bytes == Rows[i].Bytes && Type == Rows[i].Type && !memcmp(Read, Rows[i].Data, Bytes));
        OK(IoSetDevicePropertyData(Pdo, Key, 0, 0, DEVPROP_TYPE_EMPTY, 0, NULL));
    }
    /* of another language it is another property; text to be looked up is of none */
    STATUS(IoSetDevicePropertyData(Pdo, Key, 0x409, 0, DEVPROP_TYPE_STRING_INDIRECT, 18, L"@a,%b%;c"),
           STATUS_INVALID_PARAMETER);
    OK(IoSetDevicePropertyData(Pdo, Key, 0x409, 0, DEVPROP_TYPE_STRING, 4, L"a"));
    STATUS(IoGetDevicePropertyData(Pdo, Key, 0, 0, sizeof(Read), Read, &Bytes, &Type), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(IoSetDevicePropertyData(Pdo, Key, 0x409, 0, DEVPROP_TYPE_STRING, 4, NULL));
}

static void Properties(PDEVICE_OBJECT Pdo)
{
    static const DEVPROPKEY Key = {{0xdead0001, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}}, 7};
    WCHAR Text[128];
    ULONG Bytes = 0, Number = 5, Read = 0;
    DEVPROPTYPE Type = 99;
    HANDLE Handle;
    STATUS(IoGetDeviceProperty(Pdo, DevicePropertyHardwareID, 0, NULL, &Bytes), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes == sizeof(L"Root\\interfaces") + sizeof(WCHAR));
    OK(IoGetDeviceProperty(Pdo, DevicePropertyHardwareID, sizeof(Text), Text, &Bytes));
    CHECK(!_wcsicmp(Text, L"Root\\interfaces") && !Text[wcslen(Text) + 1]);
    OK(IoGetDeviceProperty(Pdo, DevicePropertyEnumeratorName, sizeof(Text), Text, &Bytes));
    CHECK(!wcscmp(Text, L"ROOT") && Bytes == sizeof(L"ROOT"));
    OK(IoGetDeviceProperty(Pdo, DevicePropertyPhysicalDeviceObjectName, sizeof(Text), Text, &Bytes));
    CHECK(!wcsncmp(Text, L"\\Device\\", 8));
    STATUS(IoGetDeviceProperty(Pdo, DevicePropertyFriendlyName, sizeof(Text), Text, &Bytes),
           STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(IoGetDeviceProperty(Pdo, DevicePropertyBootConfiguration, sizeof(Text), Text, &Bytes),
           STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(IoGetDeviceProperty(Pdo, 0x77, sizeof(Text), Text, &Bytes), STATUS_INVALID_PARAMETER_2);
    STATUS(IoGetDevicePropertyData(Pdo, &Key, 0, 0, sizeof(Read), &Read, &Bytes, &Type), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Type == DEVPROP_TYPE_EMPTY && Bytes == 0);
    OK(IoSetDevicePropertyData(Pdo, &Key, 0, 0, DEVPROP_TYPE_UINT32, sizeof(Number), &Number));
    STATUS(IoGetDevicePropertyData(Pdo, &Key, 0, 0, 0, NULL, &Bytes, &Type), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes == sizeof(ULONG) && Type == DEVPROP_TYPE_UINT32);
    OK(IoGetDevicePropertyData(Pdo, &Key, 0, 0, sizeof(Read), &Read, &Bytes, &Type));
    CHECK(Read == 5);
    OK(IoSetDevicePropertyData(Pdo, &Key, 0, 0, DEVPROP_TYPE_UINT32, 0, NULL));
    STATUS(IoGetDevicePropertyData(Pdo, &Key, 0, 0, sizeof(Read), &Read, &Bytes, &Type), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(IoSetDevicePropertyData(Pdo, &Key, 0, 0, DEVPROP_TYPE_EMPTY, 0, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    TypesOfProperties(Pdo, &Key);
    WhatTheSystemKnows(Pdo);
    OK(IoOpenDeviceRegistryKey(Pdo, PLUGPLAY_REGKEY_DEVICE, KEY_ALL_ACCESS, &Handle));
    OK(ZwClose(Handle));
    OK(IoOpenDeviceRegistryKey(Pdo, PLUGPLAY_REGKEY_DRIVER, KEY_ALL_ACCESS, &Handle));
    OK(ZwClose(Handle));
    STATUS(IoOpenDeviceRegistryKey(Pdo, 0, KEY_ALL_ACCESS, &Handle), STATUS_INVALID_PARAMETER);
    OK(IoOpenDeviceInterfaceRegistryKey(&Link, KEY_ALL_ACCESS, &Handle));
    OK(ZwClose(Handle));
}

static void Begin(PDEVICE_OBJECT Device)
{
    Mine = Device->DriverObject;
    WrongLinks();
    Registration(Extension(Device)->pdo);
    Listen();
    Properties(Extension(Device)->pdo);
    OK(IoSetDeviceInterfaceState(&Second, TRUE));
}

/* Started: a file on the device, a listener on that, an event of the driver's own. */
static void NTAPI Later(PDEVICE_OBJECT Device, PVOID Context)
{
    TARGET_DEVICE_CUSTOM_NOTIFICATION Event = {1, sizeof(Event), Class, NULL, -1, {0}};
    PDEVICE_OBJECT Top;
    OK(IoGetDeviceObjectPointer(&Link, FILE_READ_ATTRIBUTES, &File, &Top));
    CHECK(Top == Device);
    OK(IoRegisterPlugPlayNotification(EventCategoryTargetDeviceChange, 0, File, Mine, TargetChanged, NULL, &Target));
    STATUS(IoReportTargetDeviceChangeAsynchronous(Extension(Device)->pdo, &Event, NULL, NULL), STATUS_PENDING);
    OK(IoReportTargetDeviceChange(Extension(Device)->pdo, &Event));
    Event.Event = GUID_TARGET_DEVICE_QUERY_REMOVE;
    STATUS(IoReportTargetDeviceChange(Extension(Device)->pdo, &Event), STATUS_INVALID_DEVICE_REQUEST);
    IoFreeWorkItem(Context);
}

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor == IRP_MN_QUERY_PNP_DEVICE_STATE) {
        PIO_WORKITEM Item = IoAllocateWorkItem(Device);
        IoQueueWorkItem(Item, Later, DelayedWorkQueue, Item);
    }
    return FALSE;
}

static void End(PDEVICE_OBJECT Device)
{
    OK(IoSetDeviceInterfaceState(&Link, FALSE));
    RtlFreeUnicodeString(&Link);
    RtlFreeUnicodeString(&Second); /* left enabled: the manager disables it */
    OK(IoUnregisterPlugPlayNotificationEx(Target));
}

static void Sum(void)
{
    CHECK(Removals == 1);
    CHECK(Custom == 2);
    CHECK(Queries == 1 && Gone == 1);
    CHECK(Profiles == 2);
    OK(IoUnregisterPlugPlayNotificationEx(Entry));
    OK(IoUnregisterPlugPlayNotification(Profile));
    SUM();
}

#define PNP_HOOK Hook
#define STARTED Begin
#define REMOVING End
#define UNLOADING Sum
#include "simple_body.h"
