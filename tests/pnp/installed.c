/*
 * What installed.inf leaves for a device of the test card: its properties, the keys of device and driver, the service's key.
 *
 * OPTIONS: --for 1s --inf tests/pnp/installed.inf
 */
#include "pnp.h"
#include "simple.h"

static ULONG Started;
static UNICODE_STRING KeyName;

static void Property(PDEVICE_OBJECT Pdo, DEVICE_REGISTRY_PROPERTY Property, PCWSTR Want)
{
    WCHAR Text[128] = {0};
    ULONG Bytes;
    OK(IoGetDeviceProperty(Pdo, Property, sizeof(Text), Text, &Bytes));
    CHECK(!wcscmp(Text, Want));
    if (wcscmp(Text, Want))
        DbgPrint("%ws\n", Text);
}

/* The value below Root, or of its subkey. */
static void Value(HANDLE Root, PCWSTR Subkey, PCWSTR Name, ULONG Type, const VOID *Want, ULONG Bytes)
{
    UCHAR Room[256];
    PKEY_VALUE_PARTIAL_INFORMATION Data = (PVOID)Room;
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING String;
    HANDLE Key;
    ULONG Length;
    RtlInitUnicodeString(&String, Subkey);
    InitializeObjectAttributes(&Attributes, &String, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, Root, NULL);
    OK(ZwOpenKey(&Key, KEY_READ, &Attributes));
    RtlInitUnicodeString(&String, Name);
    OK(ZwQueryValueKey(Key, &String, KeyValuePartialInformation, Data, sizeof(Room), &Length));
    CHECK(Data->Type == Type && Data->DataLength == Bytes && RtlEqualMemory(Data->Data, Want, Bytes));
    OK(ZwClose(Key));
}

static void DeviceKey(PDEVICE_OBJECT Pdo)
{
    static const UCHAR Blob[] = {0xde, 0xad, 0xbe, 0xef};
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING String = RTL_CONSTANT_STRING(L"Interrupt Management");
    ULONG Size = 0x1000;
    HANDLE Root, Key;
    OK(IoOpenDeviceRegistryKey(Pdo, PLUGPLAY_REGKEY_DEVICE, KEY_READ, &Root));
    Value(Root, L"", L"Window Size", REG_DWORD, &Size, sizeof(Size));
    Value(Root, L"", L"Blob", REG_BINARY, Blob, sizeof(Blob));
    InitializeObjectAttributes(&Attributes, &String, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, Root, NULL);
    OK(ZwOpenKey(&Key, KEY_READ, &Attributes));
    OK(ZwClose(Key));
    OK(ZwClose(Root));
}

static void DriverKey(PDEVICE_OBJECT Pdo)
{
    static const WCHAR Rates[] = L"9600\0"
                                 L"115200\0";
    ULONG Depth = 7;
    HANDLE Root;
    OK(IoOpenDeviceRegistryKey(Pdo, PLUGPLAY_REGKEY_DRIVER, KEY_READ, &Root));
    Value(Root, L"", L"Depth", REG_DWORD, &Depth, sizeof(Depth));
    Value(Root, L"Modes\\Fast", L"Rates", REG_MULTI_SZ, Rates, sizeof(Rates));
    OK(ZwClose(Root));
}

static void ServiceKey(void)
{
    static const WCHAR Greeting[] = L"100% \"quoted\"; Irqlab's makers";
    OBJECT_ATTRIBUTES Attributes;
    ULONG Demand = 3;
    HANDLE Root;
    InitializeObjectAttributes(&Attributes, &KeyName, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenKey(&Root, KEY_READ, &Attributes));
    Value(Root, L"", L"Start", REG_DWORD, &Demand, sizeof(Demand));
    Value(Root, L"", L"DisplayName", REG_SZ, L"Test card", sizeof(L"Test card"));
    Value(Root, L"Parameters", L"Greeting", REG_SZ, Greeting, sizeof(Greeting));
    OK(ZwClose(Root));
}

static void Begin(PDEVICE_OBJECT Device)
{
    PDEVICE_OBJECT Pdo = Extension(Device)->pdo;
    Property(Pdo, DevicePropertyDeviceDescription, L"Test card");
    Property(Pdo, DevicePropertyManufacturer, L"Irqlab's makers");
    Property(Pdo, DevicePropertyClassName, L"TestCards");
    Property(Pdo, DevicePropertyClassGuid, L"{6b6e2c0e-5d7a-4c35-9a41-3f1f0f9a7c11}");
    Property(Pdo, DevicePropertyDriverKeyName,
             Started ? L"{6b6e2c0e-5d7a-4c35-9a41-3f1f0f9a7c11}\\0001"
                     : L"{6b6e2c0e-5d7a-4c35-9a41-3f1f0f9a7c11}\\0000");
    DeviceKey(Pdo);
    DriverKey(Pdo);
    ServiceKey();
    Started++;
}

static void End(void)
{
    CHECK(Started == 2); /* both cards */
    ExFreePoolWithTag(KeyName.Buffer, 'fnI');
    SUM();
}

#define STARTED(Device) Begin(Device)
#define UNLOADING() End()
#define DriverEntry SimpleEntry
#include "simple_body.h"
#undef DriverEntry

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    KeyName = *RegistryPath;
    KeyName.Buffer = ExAllocatePoolWithTag(PagedPool, RegistryPath->Length, 'fnI');
    RtlCopyMemory(KeyName.Buffer, RegistryPath->Buffer, RegistryPath->Length);
    return SimpleEntry(Driver, RegistryPath);
}
