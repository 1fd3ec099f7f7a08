/*
 * The PCI bus and what it gives a driver: ids, resources raw and translated, configuration space by request and by interface,
 * interrupts connected by line, by message, and fully specified. Two cards, one driver.
 *
 * OPTIONS: --for 1s --device 'PCI\VEN_494C&DEV_0001=card.sys'
 */
#include "pnp.h"
#include "simple.h"
#include <initguid.h>
#include <wdmguid.h>

static ULONG Started, Removed, Interrupts;

static NTSTATUS Send(PDEVICE_OBJECT Device, PIO_STACK_LOCATION From, ULONG_PTR *Information)
{
    IO_STATUS_BLOCK Iosb;
    KEVENT Event;
    PIRP Irp;
    NTSTATUS Status;
    PDEVICE_OBJECT Top = IoGetAttachedDeviceReference(Device);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp = IoBuildSynchronousFsdRequest(IRP_MJ_PNP, Top, NULL, 0, NULL, &Event, &Iosb);
    Irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    IoGetNextIrpStackLocation(Irp)->MinorFunction = From->MinorFunction;
    IoGetNextIrpStackLocation(Irp)->Parameters = From->Parameters;
    Status = IoCallDriver(Top, Irp);
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb.Status;
    }
    *Information = Iosb.Information;
    ObDereferenceObject(Top);
    return Status;
}

static void Config(PDEVICE_OBJECT Pdo)
{
    USHORT Ids[2] = {0};
    UCHAR Latency = 0x40;
    ULONG_PTR Bytes;
    IO_STACK_LOCATION Stack = {0};
    Stack.MinorFunction = IRP_MN_READ_CONFIG;
    Stack.Parameters.ReadWriteConfig.WhichSpace = PCI_WHICHSPACE_CONFIG;
    Stack.Parameters.ReadWriteConfig.Buffer = Ids;
    Stack.Parameters.ReadWriteConfig.Length = sizeof(Ids);
    OK(Send(Pdo, &Stack, &Bytes));
    CHECK(Ids[0] == 0x494c && Ids[1] == 0x0001);
    Stack.MinorFunction = IRP_MN_WRITE_CONFIG;
    Stack.Parameters.ReadWriteConfig.Buffer = &Latency;
    Stack.Parameters.ReadWriteConfig.Offset = 0x0d;
    Stack.Parameters.ReadWriteConfig.Length = 1;
    OK(Send(Pdo, &Stack, &Bytes));
    Latency = 0;
    Stack.MinorFunction = IRP_MN_READ_CONFIG;
    OK(Send(Pdo, &Stack, &Bytes));
    CHECK(Latency == 0x40);
}

static void Interface(PDEVICE_OBJECT Pdo)
{
    BUS_INTERFACE_STANDARD Bus = {0};
    ULONG_PTR Bytes;
    USHORT Vendor = 0;
    IO_STACK_LOCATION Stack = {0};
    Stack.MinorFunction = IRP_MN_QUERY_INTERFACE;
    Stack.Parameters.QueryInterface.InterfaceType = &GUID_BUS_INTERFACE_STANDARD;
    Stack.Parameters.QueryInterface.Size = sizeof(Bus);
    Stack.Parameters.QueryInterface.Version = 1;
    Stack.Parameters.QueryInterface.Interface = (PINTERFACE)&Bus;
    OK(Send(Pdo, &Stack, &Bytes));
    CHECK(Bus.Size == sizeof(Bus) && Bus.Version == 1);
    CHECK(Bus.GetBusData(Bus.Context, PCI_WHICHSPACE_CONFIG, &Vendor, 0, 2) == 2 && Vendor == 0x494c);
    Bus.InterfaceDereference(Bus.Context);
}

static BOOLEAN NTAPI LineService(PKINTERRUPT Interrupt, PVOID Context)
{
    Interrupts++;
    return FALSE;
}

static BOOLEAN NTAPI MessageService(PKINTERRUPT Interrupt, PVOID Context, ULONG Message)
{
    Interrupts++;
    return TRUE;
}

static void Connect(PDEVICE_OBJECT Pdo, PCM_PARTIAL_RESOURCE_DESCRIPTOR Line)
{
    IO_CONNECT_INTERRUPT_PARAMETERS Parameters = {0};
    IO_DISCONNECT_INTERRUPT_PARAMETERS Disconnect = {0};
    PIO_INTERRUPT_MESSAGE_INFO Table = NULL;
    PKINTERRUPT Interrupt = NULL;
    Parameters.Version = CONNECT_LINE_BASED;
    Parameters.LineBased.PhysicalDeviceObject = Pdo;
    Parameters.LineBased.InterruptObject = &Interrupt;
    Parameters.LineBased.ServiceRoutine = LineService;
    OK(IoConnectInterruptEx(&Parameters));
    Disconnect.Version = CONNECT_LINE_BASED;
    Disconnect.ConnectionContext.InterruptObject = Interrupt;
    IoDisconnectInterruptEx(&Disconnect);

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.Version = CONNECT_FULLY_SPECIFIED;
    Parameters.FullySpecified.PhysicalDeviceObject = Pdo;
    Parameters.FullySpecified.InterruptObject = &Interrupt;
    Parameters.FullySpecified.ServiceRoutine = LineService;
    Parameters.FullySpecified.Vector = Line->u.Interrupt.Vector;
    Parameters.FullySpecified.Irql = (KIRQL)Line->u.Interrupt.Level;
    Parameters.FullySpecified.SynchronizeIrql = (KIRQL)Line->u.Interrupt.Level;
    Parameters.FullySpecified.ProcessorEnableMask = Line->u.Interrupt.Affinity;
    Parameters.FullySpecified.InterruptMode = LevelSensitive;
    Parameters.FullySpecified.ShareVector = TRUE;
    OK(IoConnectInterruptEx(&Parameters));
    Disconnect.Version = CONNECT_FULLY_SPECIFIED;
    Disconnect.ConnectionContext.InterruptObject = Interrupt;
    IoDisconnectInterruptEx(&Disconnect);

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.Version = CONNECT_MESSAGE_BASED;
    Parameters.MessageBased.PhysicalDeviceObject = Pdo;
    Parameters.MessageBased.ConnectionContext.InterruptMessageTable = &Table;
    Parameters.MessageBased.MessageServiceRoutine = MessageService;
    OK(IoConnectInterruptEx(&Parameters));
    CHECK(Parameters.Version == CONNECT_MESSAGE_BASED && Table && Table->MessageCount == 2);
    Disconnect.Version = CONNECT_MESSAGE_BASED;
    Disconnect.ConnectionContext.InterruptMessageTable = Table;
    IoDisconnectInterruptEx(&Disconnect);
}

static void Adapter(PDEVICE_OBJECT Pdo)
{
    DEVICE_DESCRIPTION Description = {0};
    ULONG Registers;
    PDMA_ADAPTER Dma;
    Description.Version = DEVICE_DESCRIPTION_VERSION;
    Description.Master = Description.ScatterGather = Description.Dma64BitAddresses = TRUE;
    Description.InterfaceType = PCIBus;
    Description.MaximumLength = 0x10000;
    Dma = IoGetDmaAdapter(Pdo, &Description, &Registers);
    CHECK(Dma != NULL);
    if (Dma)
        Dma->DmaOperations->PutDmaAdapter(Dma);
}

static void Resources(PDEVICE_OBJECT Device, PCM_RESOURCE_LIST Raw, PCM_RESOURCE_LIST Translated)
{
    PCM_PARTIAL_RESOURCE_LIST R = &Raw->List[0].PartialResourceList, T = &Translated->List[0].PartialResourceList;
    PULONG Registers;
    CHECK(Raw->Count == 1 && Raw->List[0].InterfaceType == PCIBus);
    CHECK(R->Count == 2 && T->Count == 2);
    CHECK(R->PartialDescriptors[0].Type == CmResourceTypeMemory && R->PartialDescriptors[0].u.Memory.Length == 0x1000);
    CHECK(R->PartialDescriptors[1].Type == CmResourceTypeInterrupt &&
          R->PartialDescriptors[1].u.Interrupt.Vector == 11);
    CHECK(R->PartialDescriptors[1].ShareDisposition == CmResourceShareShared);
    CHECK(T->PartialDescriptors[1].u.Interrupt.Level == 7 && T->PartialDescriptors[1].u.Interrupt.Vector >> 4 == 7);
    Registers = MmMapIoSpace(T->PartialDescriptors[0].u.Memory.Start, 0x1000, MmNonCached);
    CHECK(Registers && READ_REGISTER_ULONG(Registers) == 0x42414c49);
    MmUnmapIoSpace(Registers, 0x1000);
    Connect(Extension(Device)->pdo, &T->PartialDescriptors[1]);
}

static void Begin(PDEVICE_OBJECT Device)
{
    PDEVICE_OBJECT Pdo = Extension(Device)->pdo;
    WCHAR Text[128];
    ULONG Bytes, Number = 0;
    GUID Bus;
    Started++;
    OK(IoGetDeviceProperty(Pdo, DevicePropertyLocationInformation, sizeof(Text), Text, &Bytes));
    CHECK(!wcsncmp(Text, L"PCI bus 0, device ", 18));
    OK(IoGetDeviceProperty(Pdo, DevicePropertyBusTypeGuid, sizeof(Bus), &Bus, &Bytes));
    CHECK(IsEqualGUID(&Bus, &GUID_BUS_TYPE_PCI));
    OK(IoGetDeviceProperty(Pdo, DevicePropertyLegacyBusType, sizeof(Number), &Number, &Bytes));
    CHECK(Number == PCIBus);
    OK(IoGetDeviceProperty(Pdo, DevicePropertyAddress, sizeof(Number), &Number, &Bytes));
    CHECK(Number == 0x20000 || Number == 0x30000);
    Config(Pdo);
    Interface(Pdo);
    Adapter(Pdo);
}

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    if (Minor != IRP_MN_START_DEVICE)
        return FALSE;
    CHECK(IoForwardIrpSynchronously(Extension(Device)->lower, Irp));
    OK(Irp->IoStatus.Status);
    Begin(Device);
    Resources(Device, Stack->Parameters.StartDevice.AllocatedResources,
              Stack->Parameters.StartDevice.AllocatedResourcesTranslated);
    *Status = Complete(Irp, STATUS_SUCCESS);
    return TRUE;
}

static void End(PDEVICE_OBJECT Device)
{
    Removed++;
}

static void Sum(void)
{
    CHECK(Started == 2 && Removed == 2);
    SUM();
}

#define PNP_HOOK Hook
#define REMOVING End
#define UNLOADING Sum
#include "simple_body.h"
