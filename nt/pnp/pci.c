/*
 * The PCI bus: its bus driver's part. A device for each function of bus 0, with the resources that the firmware has assigned
 * (ports, memory, the interrupt line), its configuration space by IRP_MN_READ_CONFIG and BUS_INTERFACE_STANDARD.
 * (docs: IRP_MN_QUERY_INTERFACE, BUS_INTERFACE_STANDARD, "Identifiers for PCI Devices")
 *
 * The bus stands below the root enumerator as ACPI\PNP0A03, as it does on a machine whose ACPI driver found it there.
 */
#include "nt.h"
#include <initguid.h>
#include <wdmguid.h>

typedef struct _PCI_DEVICE {
    BOOLEAN IsBus;
    ULONG Slot;           /* as in PCI_SLOT_NUMBER */
    LONG References;      /* of its interface */
    PDEVICE_OBJECT Lower; /* of the bus */
} PCI_DEVICE, *PPCI_DEVICE;

#define PCI_SLOTS 32
#define PCI_MESSAGES L"Device Parameters\\Interrupt Management\\MessageSignaledInterruptProperties"

static PDRIVER_OBJECT PciDriver;
static PDEVICE_OBJECT PciFunctions[PCI_SLOTS];

/* ---- Functions --------------------------------------------------------------------------------------------------- */

static NTSTATUS PciGiveText(PIRP Irp, PCSTR Text, BOOLEAN List)
{
    WCHAR Wide[400];
    SIZE_T Length;
    PWSTR Answer;
    RtlZeroMemory(Wide, sizeof(Wide));
    RtlpFromUtf8(Wide, RTL_NUMBER_OF(Wide) - 1, Text);
    Length = wcslen(Wide) + (List ? 2 : 1);
    Answer = ExAllocatePoolWithTag(PagedPool, Length * sizeof(WCHAR), PNP_TAG);
    if (!Answer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Answer, Wide, Length * sizeof(WCHAR));
    for (SIZE_T i = 0; List && i < Length; i++)
        if (Answer[i] == L'\n')
            Answer[i] = 0;
    Irp->IoStatus.Information = (ULONG_PTR)Answer;
    return STATUS_SUCCESS;
}

static NTSTATUS PciId(PPCI_DEVICE Own, PIRP Irp, BUS_QUERY_ID_TYPE Type)
{
    ULONG Vendor = HalpReadConfig(Own->Slot, 0, 2), Device = HalpReadConfig(Own->Slot, 2, 2);
    ULONG Subsystem = HalpReadConfig(Own->Slot, 0x2c, 4), Class = HalpReadConfig(Own->Slot, 8, 4);
    ULONG Revision = Class & 0xff;
    CHAR Text[400];
    Class >>= 8;
    switch (Type) {
    case BusQueryDeviceID:
        RtlpFormat(Text, sizeof(Text), "PCI\\VEN_%04X&DEV_%04X&SUBSYS_%08X&REV_%02X", Vendor, Device, Subsystem,
                   Revision);
        return PciGiveText(Irp, Text, FALSE);
    case BusQueryInstanceID:
        RtlpFormat(Text, sizeof(Text), "%02X", (Own->Slot & 31) << 3 | Own->Slot >> 5);
        return PciGiveText(Irp, Text, FALSE);
    case BusQueryHardwareIDs:
        RtlpFormat(Text, sizeof(Text),
                   "PCI\\VEN_%04X&DEV_%04X&SUBSYS_%08X&REV_%02X\nPCI\\VEN_%04X&DEV_%04X&SUBSYS_%08X\n"
                   "PCI\\VEN_%04X&DEV_%04X&CC_%06X\nPCI\\VEN_%04X&DEV_%04X&CC_%04X\n",
                   Vendor, Device, Subsystem, Revision, Vendor, Device, Subsystem, Vendor, Device, Class, Vendor,
                   Device, Class >> 8);
        return PciGiveText(Irp, Text, TRUE);
    case BusQueryCompatibleIDs:
        RtlpFormat(
            Text, sizeof(Text),
            "PCI\\VEN_%04X&DEV_%04X&REV_%02X\nPCI\\VEN_%04X&DEV_%04X\nPCI\\VEN_%04X&CC_%06X\nPCI\\VEN_%04X&CC_%04X\n"
            "PCI\\VEN_%04X\nPCI\\CC_%06X\nPCI\\CC_%04X\n",
            Vendor, Device, Revision, Vendor, Device, Vendor, Class, Vendor, Class >> 8, Vendor, Class, Class >> 8);
        return PciGiveText(Irp, Text, TRUE);
    default:
        return Irp->IoStatus.Status;
    }
}

static NTSTATUS PciText(PPCI_DEVICE Own, PIRP Irp, DEVICE_TEXT_TYPE Type)
{
    static const struct {
        ULONG Class;
        PCSTR Text;
    } Names[] = {{0x0600, "PCI Host Bridge"}, {0x0101, "IDE Controller"}};
    ULONG Class = HalpReadConfig(Own->Slot, 10, 2);
    CHAR Text[80];
    if (Type == DeviceTextLocationInformation) {
        RtlpFormat(Text, sizeof(Text), "PCI bus 0, device %u, function %u", Own->Slot & 31, Own->Slot >> 5);
        return PciGiveText(Irp, Text, FALSE);
    }
    if (Type != DeviceTextDescription)
        return Irp->IoStatus.Status;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Names); i++)
        if (Names[i].Class == Class)
            return PciGiveText(Irp, Names[i].Text, FALSE);
    return PciGiveText(Irp, "PCI Device", FALSE);
}

static VOID PciAddPorts(PCM_RESOURCE_LIST List, ULONG Port, ULONG Length)
{
    PCM_PARTIAL_RESOURCE_LIST Partial = &List->List[0].PartialResourceList;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource = &Partial->PartialDescriptors[Partial->Count++];
    RtlZeroMemory(Resource, sizeof(*Resource));
    Resource->Type = CmResourceTypePort;
    Resource->Flags = CM_RESOURCE_PORT_IO;
    Resource->ShareDisposition = CmResourceShareDeviceExclusive;
    Resource->u.Port.Start.QuadPart = Port;
    Resource->u.Port.Length = Length;
}

/* An IDE function in compatibility mode has the ports and the line of the ISA controller it takes the place of. */
static VOID PciAddCompatible(ULONG Slot, PCM_RESOURCE_LIST List)
{
    PCM_PARTIAL_RESOURCE_LIST Partial = &List->List[0].PartialResourceList;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource;
    if (HalpReadConfig(Slot, 10, 2) != 0x0101 || HalpReadConfig(Slot, 9, 1) & 1)
        return;
    PciAddPorts(List, 0x1f0, 8);
    PciAddPorts(List, 0x3f6, 1);
    Resource = &Partial->PartialDescriptors[Partial->Count++];
    RtlZeroMemory(Resource, sizeof(*Resource));
    Resource->Type = CmResourceTypeInterrupt;
    Resource->Flags = CM_RESOURCE_INTERRUPT_LATCHED;
    Resource->ShareDisposition = CmResourceShareDeviceExclusive;
    Resource->u.Interrupt.Level = Resource->u.Interrupt.Vector = 14;
    Resource->u.Interrupt.Affinity = KeQueryActiveProcessors();
}

/* A number in the device's key; FALSE: there is none. */
static BOOLEAN PciSetting(PDEVICE_NODE Node, PCWSTR Name, PULONG Number)
{
    PKEY_VALUE_PARTIAL_INFORMATION Value;
    BOOLEAN Good;
    if (!NT_SUCCESS(PnpReadValue(Node, PCI_MESSAGES, Name, &Value)))
        return FALSE;
    Good = Value->Type == REG_DWORD && Value->DataLength == sizeof(ULONG);
    if (Good)
        RtlCopyMemory(Number, Value->Data, sizeof(ULONG));
    ExpFree(Value);
    return Good;
}

/* Messages in place of the line, if the device's key wants them.
 * (docs: "Enabling Message-Signaled Interrupts in the Registry", "Using Interrupt Resource Descriptors") */
static VOID PciAddMessages(PDEVICE_NODE Node, ULONG Slot, PCM_PARTIAL_RESOURCE_LIST List)
{
    ULONG Supported, Limit = ~0u, Count, First;
    if (!Node || !PciSetting(Node, L"MSISupported", &Supported))
        return;
    PciSetting(Node, L"MessageNumberLimit", &Limit);
    First = HalpAssignMessages(Slot, Supported ? Limit : 0, &Count);
    for (ULONG i = 0; i < List->Count && Count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource = &List->PartialDescriptors[i];
        if (Resource->Type != CmResourceTypeInterrupt)
            continue;
        Resource->ShareDisposition = CmResourceShareDeviceExclusive;
        Resource->Flags = CM_RESOURCE_INTERRUPT_LATCHED | CM_RESOURCE_INTERRUPT_MESSAGE;
        RtlZeroMemory(&Resource->u, sizeof(Resource->u));
        Resource->u.MessageInterrupt.Raw.MessageCount = (USHORT)Count;
        Resource->u.MessageInterrupt.Raw.Vector = First;
        Resource->u.MessageInterrupt.Raw.Affinity = KeQueryActiveProcessors();
    }
}

static NTSTATUS PciResources(PDEVICE_OBJECT Device, PIRP Irp)
{
    PPCI_DEVICE Own = Device->DeviceExtension;
    PCM_RESOURCE_LIST List = HalpSlotResources(Own->Slot);
    if (!List)
        return STATUS_INSUFFICIENT_RESOURCES;
    PciAddMessages(PnpNodeOf(Device), Own->Slot, &List->List[0].PartialResourceList);
    PciAddCompatible(Own->Slot, List);
    if (!List->List[0].PartialResourceList.Count) {
        ExFreePool(List);
        return Irp->IoStatus.Status;
    }
    Irp->IoStatus.Information = (ULONG_PTR)List;
    return STATUS_SUCCESS;
}

static NTSTATUS PciCapabilities(PPCI_DEVICE Own, PDEVICE_CAPABILITIES Capabilities)
{
    if (Capabilities->Version != 1)
        return STATUS_NOT_SUPPORTED;
    Capabilities->UniqueID = FALSE;
    Capabilities->SurpriseRemovalOK = FALSE;
    Capabilities->Address = (Own->Slot & 31) << 16 | Own->Slot >> 5;
    Capabilities->UINumber = 0xffffffff;
    Capabilities->DeviceState[PowerSystemWorking] = PowerDeviceD0;
    for (ULONG i = PowerSystemSleeping1; i < PowerSystemMaximum; i++)
        Capabilities->DeviceState[i] = PowerDeviceD3;
    return STATUS_SUCCESS;
}

/* ---- Configuration space ----------------------------------------------------------------------------------------- */

static ULONG PciTransfer(ULONG Slot, ULONG Space, PVOID Buffer, ULONG Offset, ULONG Length, BOOLEAN Write)
{
    if (Space != PCI_WHICHSPACE_CONFIG || Offset >= 256)
        return 0;
    return Write ? HalSetBusDataByOffset(PCIConfiguration, 0, Slot, Buffer, Offset, Length)
                 : HalGetBusDataByOffset(PCIConfiguration, 0, Slot, Buffer, Offset, Length);
}

static NTSTATUS PciConfig(PPCI_DEVICE Own, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    ULONG Done = PciTransfer(Own->Slot, Stack->Parameters.ReadWriteConfig.WhichSpace,
                             Stack->Parameters.ReadWriteConfig.Buffer, Stack->Parameters.ReadWriteConfig.Offset,
                             Stack->Parameters.ReadWriteConfig.Length, Stack->MinorFunction == IRP_MN_WRITE_CONFIG);
    Irp->IoStatus.Information = Done;
    return Done || !Stack->Parameters.ReadWriteConfig.Length ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static VOID NTAPI PciReference(PVOID Context)
{
    InterlockedIncrement(&((PPCI_DEVICE)((PDEVICE_OBJECT)Context)->DeviceExtension)->References);
    ObfReferenceObject(Context);
}

static VOID NTAPI PciDereference(PVOID Context)
{
    InterlockedDecrement(&((PPCI_DEVICE)((PDEVICE_OBJECT)Context)->DeviceExtension)->References);
    ObfDereferenceObject(Context);
}

static BOOLEAN NTAPI PciTranslate(PVOID Context, PHYSICAL_ADDRESS Address, ULONG Length, PULONG Space,
                                  PPHYSICAL_ADDRESS Translated)
{
    return HalTranslateBusAddress(PCIBus, 0, Address, Space, Translated);
}

static PDMA_ADAPTER NTAPI PciAdapter(PVOID Context, PDEVICE_DESCRIPTION Description, PULONG MapRegisters)
{
    return IoGetDmaAdapter(Context, Description, MapRegisters);
}

static ULONG NTAPI PciSetData(PVOID Context, ULONG Space, PVOID Buffer, ULONG Offset, ULONG Length)
{
    return PciTransfer(((PPCI_DEVICE)((PDEVICE_OBJECT)Context)->DeviceExtension)->Slot, Space, Buffer, Offset, Length,
                       TRUE);
}

static ULONG NTAPI PciGetData(PVOID Context, ULONG Space, PVOID Buffer, ULONG Offset, ULONG Length)
{
    return PciTransfer(((PPCI_DEVICE)((PDEVICE_OBJECT)Context)->DeviceExtension)->Slot, Space, Buffer, Offset, Length,
                       FALSE);
}

static NTSTATUS PciInterface(PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PBUS_INTERFACE_STANDARD Bus = (PVOID)Stack->Parameters.QueryInterface.Interface;
    if (!IsEqualGUID(Stack->Parameters.QueryInterface.InterfaceType, &GUID_BUS_INTERFACE_STANDARD))
        return Irp->IoStatus.Status;
    if (Stack->Parameters.QueryInterface.Size < sizeof(*Bus))
        return STATUS_INVALID_PARAMETER;
    Bus->Size = sizeof(*Bus);
    Bus->Version = 1;
    Bus->Context = Device;
    Bus->InterfaceReference = PciReference;
    Bus->InterfaceDereference = PciDereference;
    Bus->TranslateBusAddress = PciTranslate;
    Bus->GetDmaAdapter = PciAdapter;
    Bus->SetBusData = PciSetData;
    Bus->GetBusData = PciGetData;
    PciReference(Device);
    return STATUS_SUCCESS;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static NTSTATUS PciFunctionPnp(PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PPCI_DEVICE Own = Device->DeviceExtension;
    PNP_BUS_INFORMATION Bus = {GUID_BUS_TYPE_PCI, PCIBus, 0};
    PDEVICE_RELATIONS Relations;
    PVOID Answer;
    switch (Stack->MinorFunction) {
    case IRP_MN_START_DEVICE:
        HalpBindDevice(Device, Own->Slot);
        HalpEnableSlot(Own->Slot);
        return STATUS_SUCCESS;
    case IRP_MN_REMOVE_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
    case IRP_MN_DEVICE_USAGE_NOTIFICATION:
        return STATUS_SUCCESS;
    case IRP_MN_QUERY_ID:
        return PciId(Own, Irp, Stack->Parameters.QueryId.IdType);
    case IRP_MN_QUERY_DEVICE_TEXT:
        return PciText(Own, Irp, Stack->Parameters.QueryDeviceText.DeviceTextType);
    case IRP_MN_QUERY_CAPABILITIES:
        return PciCapabilities(Own, Stack->Parameters.DeviceCapabilities.Capabilities);
    case IRP_MN_QUERY_RESOURCES:
        return PciResources(Device, Irp);
    case IRP_MN_READ_CONFIG:
    case IRP_MN_WRITE_CONFIG:
        return PciConfig(Own, Irp, Stack);
    case IRP_MN_QUERY_INTERFACE:
        return PciInterface(Device, Irp, Stack);
    case IRP_MN_QUERY_BUS_INFORMATION:
        if (!(Answer = ExAllocatePoolWithTag(PagedPool, sizeof(Bus), PNP_TAG)))
            return STATUS_INSUFFICIENT_RESOURCES;
        Irp->IoStatus.Information = (ULONG_PTR)memcpy(Answer, &Bus, sizeof(Bus));
        return STATUS_SUCCESS;
    case IRP_MN_QUERY_DEVICE_RELATIONS:
        if (Stack->Parameters.QueryDeviceRelations.Type != TargetDeviceRelation)
            return Irp->IoStatus.Status;
        if (!(Relations = ExAllocatePoolWithTag(PagedPool, sizeof(*Relations), PNP_TAG)))
            return STATUS_INSUFFICIENT_RESOURCES;
        Relations->Count = 1;
        Relations->Objects[0] = Device;
        ObfReferenceObject(Device);
        Irp->IoStatus.Information = (ULONG_PTR)Relations;
        return STATUS_SUCCESS;
    default:
        return Irp->IoStatus.Status;
    }
}

/* All functions that answer. */
static NTSTATUS PciBusRelations(PIRP Irp)
{
    PDEVICE_RELATIONS Relations =
        ExAllocatePoolWithTag(PagedPool, FIELD_OFFSET(DEVICE_RELATIONS, Objects[PCI_SLOTS]), PNP_TAG);
    if (!Relations)
        return STATUS_INSUFFICIENT_RESOURCES;
    Relations->Count = 0;
    for (ULONG Slot = 0; Slot < PCI_SLOTS; Slot++) {
        if (!PciFunctions[Slot] && !HalpIsEmpty(Slot)) {
            PPCI_DEVICE Own;
            if (!NT_SUCCESS(IoCreateDevice(PciDriver, sizeof(*Own), NULL, FILE_DEVICE_UNKNOWN,
                                           FILE_AUTOGENERATED_DEVICE_NAME, FALSE, &PciFunctions[Slot])))
                continue;
            Own = PciFunctions[Slot]->DeviceExtension;
            Own->Slot = Slot;
            PciFunctions[Slot]->Flags &= ~DO_DEVICE_INITIALIZING;
        }
        if (PciFunctions[Slot]) {
            ObfReferenceObject(PciFunctions[Slot]);
            Relations->Objects[Relations->Count++] = PciFunctions[Slot];
        }
    }
    Irp->IoStatus.Information = (ULONG_PTR)Relations;
    return STATUS_SUCCESS;
}

static NTSTATUS PciPassOn(PPCI_DEVICE Own, PIRP Irp)
{
    IoSkipCurrentIrpStackLocation(Irp);
    return IofCallDriver(Own->Lower, Irp);
}

static NTSTATUS NTAPI PciPnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PPCI_DEVICE Own = Device->DeviceExtension;
    NTSTATUS Status;
    if (!Own->IsBus) {
        Irp->IoStatus.Status = Status = PciFunctionPnp(Device, Irp, Stack);
        IofCompleteRequest(Irp, IO_NO_INCREMENT);
        return Status;
    }
    if (Stack->MinorFunction == IRP_MN_QUERY_DEVICE_RELATIONS &&
        Stack->Parameters.QueryDeviceRelations.Type == BusRelations) {
        Irp->IoStatus.Status = Status = PciBusRelations(Irp);
        if (!NT_SUCCESS(Status)) {
            IofCompleteRequest(Irp, IO_NO_INCREMENT);
            return Status;
        }
    } else if (Stack->MinorFunction == IRP_MN_QUERY_REMOVE_DEVICE) {
        Irp->IoStatus.Status = STATUS_DEVICE_NOT_READY; /* the machine's own bus stays */
        IofCompleteRequest(Irp, IO_NO_INCREMENT);
        return STATUS_DEVICE_NOT_READY;
    }
    return PciPassOn(Own, Irp);
}

static NTSTATUS NTAPI PciPower(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PPCI_DEVICE Own = Device->DeviceExtension;
    NTSTATUS Status = Irp->IoStatus.Status;
    if (Own->IsBus)
        return PciPassOn(Own, Irp);
    if (Stack->MinorFunction == IRP_MN_QUERY_POWER || Stack->MinorFunction == IRP_MN_SET_POWER) {
        if (Stack->MinorFunction == IRP_MN_SET_POWER && Stack->Parameters.Power.Type == DevicePowerState)
            PoSetPowerState(Device, DevicePowerState, Stack->Parameters.Power.State);
        Status = STATUS_SUCCESS;
    }
    Irp->IoStatus.Status = Status;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI PciControl(PDEVICE_OBJECT Device, PIRP Irp)
{
    NTSTATUS Status = Irp->IoStatus.Status;
    if (((PPCI_DEVICE)Device->DeviceExtension)->IsBus)
        return PciPassOn(Device->DeviceExtension, Irp);
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI PciAddDevice(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Pdo)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, sizeof(PCI_DEVICE), NULL, FILE_DEVICE_BUS_EXTENDER, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    ((PPCI_DEVICE)Device->DeviceExtension)->IsBus = TRUE;
    ((PPCI_DEVICE)Device->DeviceExtension)->Lower = IoAttachDeviceToDeviceStack(Device, Pdo);
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

VOID PciInitialize(VOID)
{
    static const WCHAR Ids[] = L"ACPI\\PNP0A03\0*PNP0A03\0";
    PDEVICE_OBJECT Pdo;
    PciDriver = IopMakeDriver(L"\\Driver\\pci", NULL);
    if (!PciDriver)
        return; /* a driver of the user's has the name: then it is theirs */
    PciDriver->MajorFunction[IRP_MJ_PNP] = PciPnp;
    PciDriver->MajorFunction[IRP_MJ_POWER] = PciPower;
    PciDriver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = PciControl;
    PciDriver->DriverExtension->AddDevice = PciAddDevice;
    if (NT_SUCCESS(PnpMakeRootDevice(L"ACPI\\PNP0A03", L"0", Ids, &Pdo)))
        PnpNodeOf(Pdo)->Own = PciDriver;
}
