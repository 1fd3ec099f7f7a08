/*
 * What drivers from before Plug and Play look up and claim: the hardware description, resources that they report and that are
 * chosen for them. (docs: IoQueryDeviceDescription, IoReportResourceUsage, IoAssignResources, IoGetConfigurationInformation)
 */
#include "test.h"

/* ---- Descriptions ----------------------------------------------------------------------------------------------------- */

static VOID Describe(PCWSTR Path, PCWSTR Identifier)
{
    OK(RtlWriteRegistryValue(RTL_REGISTRY_ABSOLUTE, Path, L"Identifier", REG_SZ, (PVOID)(ULONG_PTR)Identifier,
                             (ULONG)(wcslen(Identifier) + 1) * sizeof(WCHAR)));
}

static VOID MakeKeys(PCWSTR Path) /* RTL_REGISTRY_ABSOLUTE makes the last one only */
{
    WCHAR Part[160];

    for (ULONG i = 1; i <= wcslen(Path); i++)
        if (i == wcslen(Path) || Path[i] == L'\\') {
            RtlCopyMemory(Part, Path, i * sizeof(WCHAR));
            Part[i] = 0;
            RtlCreateRegistryKey(RTL_REGISTRY_ABSOLUTE, Part);
        }
}

typedef struct _SEEN {
    ULONG Calls, Controllers, Peripherals;
    WCHAR Last[40];
} SEEN;

static NTSTATUS NTAPI Seen(PVOID Context, PUNICODE_STRING Path, INTERFACE_TYPE Bus, ULONG BusNumber,
                           PKEY_VALUE_FULL_INFORMATION *BusInformation, CONFIGURATION_TYPE Controller,
                           ULONG ControllerNumber, PKEY_VALUE_FULL_INFORMATION *ControllerInformation,
                           CONFIGURATION_TYPE Peripheral, ULONG PeripheralNumber,
                           PKEY_VALUE_FULL_INFORMATION *PeripheralInformation)
{
    SEEN *To = Context;
    PKEY_VALUE_FULL_INFORMATION Text = PeripheralInformation[IoQueryDeviceIdentifier];

    To->Calls++;
    To->Controllers = To->Controllers * 10 + ControllerNumber;
    To->Peripherals = To->Peripherals * 10 + PeripheralNumber;
    CHECK(Bus == Isa && BusNumber == 0 && Path->Length);
    CHECK(BusInformation[IoQueryDeviceIdentifier] != NULL);
    if (!Text)
        Text = ControllerInformation[IoQueryDeviceIdentifier];
    if (!Text)
        Text = BusInformation[IoQueryDeviceIdentifier];
    CHECK(Text && Text->Type == REG_SZ);
    RtlCopyMemory(To->Last, (PUCHAR)Text + Text->DataOffset, Text->DataLength);
    return To->Calls == 3 ? STATUS_CANCELLED : STATUS_SUCCESS;
}

#define ROOT L"\\Registry\\Machine\\Hardware\\Description\\System\\IsaAdapter\\0"

static VOID the_hardware_description_is_searched(VOID)
{
    INTERFACE_TYPE Bus = Isa, Other = Eisa;
    CONFIGURATION_TYPE Controller = DiskController, Disk = DiskPeripheral, Serial = SerialController;
    ULONG Zero = 0, One = 1;
    SEEN Found = {0};

    STATUS(IoQueryDeviceDescription(&Bus, NULL, &Controller, NULL, NULL, NULL, Seen, &Found),
           STATUS_OBJECT_NAME_NOT_FOUND); /* no such bus */
    MakeKeys(ROOT L"\\DiskController\\0\\DiskPeripheral\\0");
    MakeKeys(ROOT L"\\DiskController\\0\\DiskPeripheral\\1");
    MakeKeys(ROOT L"\\DiskController\\1\\DiskPeripheral\\0");
    Describe(ROOT, L"bus");
    Describe(ROOT L"\\DiskController\\1", L"second");
    Describe(ROOT L"\\DiskController\\0", L"first");
    Describe(ROOT L"\\DiskController\\0\\DiskPeripheral\\1", L"disk 1");
    OK(IoQueryDeviceDescription(&Bus, NULL, NULL, NULL, NULL, NULL, Seen, &Found));
    CHECK(Found.Calls == 1 && !wcscmp(Found.Last, L"bus"));
    Found = (SEEN){0};
    OK(IoQueryDeviceDescription(&Bus, &Zero, &Controller, NULL, NULL, NULL, Seen, &Found));
    CHECK(Found.Calls == 2 && Found.Controllers == 1 && !wcscmp(Found.Last, L"second"));
    Found = (SEEN){0};
    OK(IoQueryDeviceDescription(&Bus, NULL, &Controller, &Zero, &Disk, &One, Seen, &Found));
    CHECK(Found.Calls == 1 && Found.Peripherals == 1 && !wcscmp(Found.Last, L"disk 1"));
    Found = (SEEN){0};
    STATUS(IoQueryDeviceDescription(&Bus, NULL, &Controller, NULL, &Disk, NULL, Seen, &Found), STATUS_CANCELLED);
    CHECK(Found.Calls == 3 && Found.Controllers == 1 && Found.Peripherals == 10); /* the routine's word ends it */
    Found = (SEEN){0};
    STATUS(IoQueryDeviceDescription(&Bus, NULL, &Serial, NULL, NULL, NULL, Seen, &Found), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(IoQueryDeviceDescription(&Other, NULL, NULL, NULL, NULL, NULL, Seen, &Found), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(IoQueryDeviceDescription(&Bus, &One, NULL, NULL, NULL, NULL, Seen, &Found), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Found.Calls == 0);
}

/* ---- Claims ----------------------------------------------------------------------------------------------------------- */

static VOID MakePorts(PCM_RESOURCE_LIST List, ULONGLONG Start, ULONG Length, UCHAR Share)
{
    PCM_PARTIAL_RESOURCE_DESCRIPTOR Port = &List->List[0].PartialResourceList.PartialDescriptors[0];

    RtlZeroMemory(List, sizeof(*List));
    List->Count = 1;
    List->List[0].InterfaceType = Isa;
    List->List[0].PartialResourceList.Version = List->List[0].PartialResourceList.Revision = 1;
    List->List[0].PartialResourceList.Count = 1;
    Port->Type = CmResourceTypePort;
    Port->ShareDisposition = Share;
    Port->Flags = CM_RESOURCE_PORT_IO;
    Port->u.Port.Start.QuadPart = (LONGLONG)Start;
    Port->u.Port.Length = Length;
}

static VOID claims_conflict_or_override(VOID)
{
    CM_RESOURCE_LIST First, Second, None = {0};
    PDEVICE_OBJECT Device;
    BOOLEAN Conflict = 7;

    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    MakePorts(&First, 0x3e0, 4, CmResourceShareDeviceExclusive);
    MakePorts(&Second, 0x3e2, 4, CmResourceShareDeviceExclusive);
    OK(IoReportResourceUsage(NULL, Driver, &First, sizeof(First), NULL, NULL, 0, FALSE, &Conflict));
    CHECK(!Conflict);
    STATUS(IoReportResourceUsage(NULL, Driver, NULL, 0, Device, &Second, sizeof(Second), FALSE, &Conflict),
           STATUS_CONFLICTING_ADDRESSES);
    CHECK(Conflict);
    OK(IoReportResourceUsage(NULL, Driver, NULL, 0, Device, &Second, sizeof(Second), TRUE, &Conflict));
    CHECK(Conflict); /* there is one, and it was passed over */
    OK(IoReportResourceUsage(NULL, Driver, NULL, 0, Device, &None, sizeof(None), FALSE, &Conflict));
    OK(IoReportResourceUsage(NULL, Driver, &None, sizeof(None), NULL, NULL, 0, FALSE, &Conflict));
    MakePorts(&First, 0x3e0, 4, CmResourceShareShared);
    MakePorts(&Second, 0x3e2, 4, CmResourceShareShared);
    OK(IoReportResourceUsage(NULL, Driver, &First, sizeof(First), Device, &Second, sizeof(Second), FALSE, &Conflict));
    CHECK(!Conflict); /* both share */
    OK(IoReportResourceUsage(NULL, Driver, &None, sizeof(None), Device, &None, sizeof(None), FALSE, &Conflict));
    IoDeleteDevice(Device);
}

static VOID resources_are_chosen(VOID)
{
    IO_RESOURCE_REQUIREMENTS_LIST Want = {.ListSize = sizeof(Want), .InterfaceType = Isa, .AlternativeLists = 1};
    PIO_RESOURCE_DESCRIPTOR Port = &Want.List[0].Descriptors[0];
    CM_RESOURCE_LIST Taken, None = {0};
    PCM_RESOURCE_LIST Given = NULL;
    PDEVICE_OBJECT Device;
    BOOLEAN Conflict;

    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Want.List[0].Version = Want.List[0].Revision = 1;
    Want.List[0].Count = 1;
    Port->Type = CmResourceTypePort;
    Port->ShareDisposition = CmResourceShareDeviceExclusive;
    Port->Flags = CM_RESOURCE_PORT_IO;
    Port->u.Port.Length = 8;
    Port->u.Port.Alignment = 8;
    Port->u.Port.MinimumAddress.QuadPart = 0x350;
    Port->u.Port.MaximumAddress.QuadPart = 0x357;
    OK(IoAssignResources(NULL, NULL, Driver, Device, &Want, &Given));
    if (CHECK(Given && Given->Count == 1)) {
        CHECK(Given->List[0].PartialResourceList.PartialDescriptors[0].u.Port.Start.QuadPart == 0x350);
        CHECK(Given->List[0].PartialResourceList.PartialDescriptors[0].u.Port.Length == 8);
        ExFreePool(Given);
    }
    MakePorts(&Taken, 0x352, 1, CmResourceShareDeviceExclusive);
    STATUS(IoReportResourceUsage(NULL, Driver, &Taken, sizeof(Taken), NULL, NULL, 0, FALSE, &Conflict),
           STATUS_CONFLICTING_ADDRESSES);
    OK(IoAssignResources(NULL, NULL, Driver, Device, NULL, NULL)); /* given back */
    OK(IoReportResourceUsage(NULL, Driver, &Taken, sizeof(Taken), NULL, NULL, 0, FALSE, &Conflict));
    Given = (PVOID)1;
    CHECK(!NT_SUCCESS(IoAssignResources(NULL, NULL, Driver, Device, &Want, &Given))); /* the only place is taken */
    CHECK(!Given);
    OK(IoReportResourceUsage(NULL, Driver, &None, sizeof(None), NULL, NULL, 0, FALSE, &Conflict));
    IoDeleteDevice(Device);
}

static VOID devices_are_counted_by_their_drivers(VOID)
{
    PCONFIGURATION_INFORMATION Information = IoGetConfigurationInformation();

    CHECK(Information->Version == sizeof(*Information) && Information->SerialCount == 0);
    Information->SerialCount++;
    CHECK(IoGetConfigurationInformation()->SerialCount == 1);
    Information->SerialCount--;
}

TEST_MAIN(the_hardware_description_is_searched, claims_conflict_or_override, resources_are_chosen,
          devices_are_counted_by_their_drivers)
