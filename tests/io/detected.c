/*
 * A driver from before Plug and Play claims what it has found, and reports the device: its node has the resources and the
 * identifiers of what was detected. (docs: IoReportResourceForDetection, IoReportDetectedDevice, IoGetDeviceNumaNode,
 * IoGetDeviceDirectory)
 */
#include "test.h"

static VOID MakePorts(PCM_RESOURCE_LIST List, ULONGLONG Start, ULONG Length)
{
    RtlZeroMemory(List, sizeof(*List));
    List->Count = 1;
    List->List[0].InterfaceType = Isa;
    List->List[0].BusNumber = 0;
    List->List[0].PartialResourceList.Version = 1;
    List->List[0].PartialResourceList.Revision = 1;
    List->List[0].PartialResourceList.Count = 1;
    List->List[0].PartialResourceList.PartialDescriptors[0].Type = CmResourceTypePort;
    List->List[0].PartialResourceList.PartialDescriptors[0].ShareDisposition = CmResourceShareDeviceExclusive;
    List->List[0].PartialResourceList.PartialDescriptors[0].Flags = CM_RESOURCE_PORT_IO;
    List->List[0].PartialResourceList.PartialDescriptors[0].u.Port.Start.QuadPart = (LONGLONG)Start;
    List->List[0].PartialResourceList.PartialDescriptors[0].u.Port.Length = Length;
}

static PDEVICE_OBJECT Pdo, Mine;

static VOID what_is_claimed_is_taken(VOID)
{
    CM_RESOURCE_LIST First, Second, None = {0};
    BOOLEAN Conflict = 7;

    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Mine));
    MakePorts(&First, 0x2f0, 8);
    MakePorts(&Second, 0x2f4, 8);
    OK(IoReportResourceForDetection(Driver, &First, sizeof(First), NULL, NULL, 0, &Conflict));
    CHECK(Conflict == FALSE);
    STATUS(IoReportResourceForDetection(Driver, NULL, 0, Mine, &Second, sizeof(Second), &Conflict),
           STATUS_CONFLICTING_ADDRESSES);
    CHECK(Conflict == TRUE);
    OK(IoReportResourceForDetection(Driver, &Second, sizeof(Second), NULL, NULL, 0, &Conflict)); /* instead */
    CHECK(Conflict == FALSE);
    MakePorts(&First, 0x2f0, 4);
    OK(IoReportResourceForDetection(Driver, NULL, 0, Mine, &First, sizeof(First), &Conflict));
    CHECK(Conflict == FALSE);
    OK(IoReportResourceForDetection(Driver, NULL, 0, Mine, &None, sizeof(None), &Conflict)); /* given back */
    OK(IoReportResourceForDetection(Driver, &None, sizeof(None), NULL, NULL, 0, &Conflict));
    MakePorts(&First, 0x2f0, 8);
    OK(IoReportResourceForDetection(Driver, NULL, 0, Mine, &First, sizeof(First), &Conflict));
    OK(IoReportResourceForDetection(Driver, NULL, 0, Mine, &None, sizeof(None), &Conflict));
}

static WCHAR Text[256];

static PCWSTR Property(DEVICE_REGISTRY_PROPERTY Which)
{
    ULONG Bytes;

    RtlZeroMemory(Text, sizeof(Text));
    return NT_SUCCESS(IoGetDeviceProperty(Pdo, Which, sizeof(Text) - 4, Text, &Bytes)) ? Text : L"";
}

static ULONG Number(DEVICE_REGISTRY_PROPERTY Which)
{
    ULONG Value = 0x7777, Bytes;

    return NT_SUCCESS(IoGetDeviceProperty(Pdo, Which, sizeof(Value), &Value, &Bytes)) && Bytes == 4 ? Value : 0x8888;
}

static VOID a_device_is_reported(VOID)
{
    CM_RESOURCE_LIST Ports, Got = {0};
    ULONG Bytes;
    PDEVICE_OBJECT Given = Mine;

    MakePorts(&Ports, 0x2f0, 8);
    STATUS(IoReportDetectedDevice(Driver, Isa, 0, 3, &Ports, NULL, TRUE, &Given), STATUS_NOT_SUPPORTED);
    OK(IoReportDetectedDevice(Driver, Isa, 0, 3, &Ports, NULL, TRUE, &Pdo));
    if (!CHECK(Pdo != NULL))
        return;
    CHECK(!_wcsicmp(Property(DevicePropertyHardwareID), L"DETECTEDIsa\\detected"));
    CHECK(!_wcsicmp(Text + wcslen(Text) + 1, L"DETECTED\\detected"));
    CHECK(!_wcsicmp(Property(DevicePropertyEnumeratorName), L"ROOT"));
    CHECK(Number(DevicePropertyLegacyBusType) == Isa && Number(DevicePropertyBusNumber) == 0);
    CHECK(Number(DevicePropertyAddress) == 3);
    OK(IoGetDeviceProperty(Pdo, DevicePropertyBootConfiguration, sizeof(Got), &Got, &Bytes));
    CHECK(Bytes == sizeof(Got) && RtlEqualMemory(&Got, &Ports, sizeof(Got)));
    OK(IoGetDeviceProperty(Pdo, DevicePropertyAllocatedResources, sizeof(Got), &Got, &Bytes));
    CHECK(Got.List[0].PartialResourceList.PartialDescriptors[0].u.Port.Length == 8);
    STATUS(IoGetDeviceProperty(Pdo, DevicePropertyAllocatedResources, 8, &Got, &Bytes), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes == sizeof(Got));
}

static VOID others_may_not_have_its_ports(VOID)
{
    LARGE_INTEGER Soon = {.QuadPart = -1000000};
    CM_RESOURCE_LIST Ports;
    BOOLEAN Conflict = FALSE;

    KeDelayExecutionThread(KernelMode, FALSE, &Soon); /* the manager does its part later */
    MakePorts(&Ports, 0x2f7, 1);
    STATUS(IoReportResourceForDetection(Driver, NULL, 0, Mine, &Ports, sizeof(Ports), &Conflict),
           STATUS_CONFLICTING_ADDRESSES);
    CHECK(Conflict == TRUE);
}

static VOID it_has_a_place_and_a_directory(VOID)
{
    USHORT Node = 9;
    HANDLE Handle;
    FILE_STANDARD_INFORMATION Standard;
    IO_STATUS_BLOCK Iosb;

    OK(IoGetDeviceNumaNode(Pdo, &Node));
    CHECK(Node == 0);
    STATUS(IoGetDeviceNumaNode(Mine, &Node), STATUS_INVALID_PARAMETER); /* no PDO */
    STATUS(IoGetDeviceNumaNode(NULL, &Node), STATUS_INVALID_PARAMETER);
    STATUS(IoGetDeviceDirectory(Mine, DeviceDirectoryData, 0, NULL, &Handle), STATUS_INVALID_PARAMETER);
    STATUS(IoGetDeviceDirectory(Pdo, DeviceDirectoryData, 1, NULL, &Handle), STATUS_INVALID_PARAMETER);
    STATUS(IoGetDeviceDirectory(Pdo, DeviceDirectoryData, 0, &Node, &Handle), STATUS_INVALID_PARAMETER);
    STATUS(IoGetDeviceDirectory(Pdo, 5, 0, NULL, &Handle), STATUS_INVALID_PARAMETER);
    OK(IoGetDeviceDirectory(Pdo, DeviceDirectoryData, 0, NULL, &Handle));
    OK(ZwQueryInformationFile(Handle, &Iosb, &Standard, sizeof(Standard), FileStandardInformation));
    CHECK(Standard.Directory);
    OK(ZwClose(Handle));
    IoDeleteDevice(Mine);
}

TEST_MAIN(what_is_claimed_is_taken, a_device_is_reported, others_may_not_have_its_ports, it_has_a_place_and_a_directory)
