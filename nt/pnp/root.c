/*
 * The root enumerator: devices that no bus can find, made by the user's bindings, by keys below Enum\Root, or by drivers
 * that have found a device themselves (docs: IoReportDetectedDevice, IoReportRootDevice). \Driver\PnpManager is their bus
 * driver, as on Windows.
 */
#include "nt.h"
#include <initguid.h>
#include <wdmguid.h>

PDRIVER_OBJECT PnpManager;

/* The extension of such a device. */
typedef struct _PNP_ROOT_DEVICE {
    PWSTR DeviceId, HardwareIds, CompatibleIds, Text;
    WCHAR Instance[16];
    INTERFACE_TYPE Bus;
    BOOLEAN Gone; /* no longer reported: deleted with IRP_MN_REMOVE_DEVICE */
} PNP_ROOT_DEVICE, *PPNP_ROOT_DEVICE;

BOOLEAN PnpIsRootDevice(PDEVICE_OBJECT Pdo)
{
    return Pdo->DriverObject == PnpManager;
}

static VOID PnpFreeRootDevice(PDEVICE_OBJECT Pdo)
{
    PPNP_ROOT_DEVICE Own = Pdo->DeviceExtension;
    PWSTR Texts[] = {Own->DeviceId, Own->HardwareIds, Own->CompatibleIds, Own->Text};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Texts); i++)
        if (Texts[i])
            ExpFree(Texts[i]);
    RtlZeroMemory(Own, sizeof(*Own));
}

static NTSTATUS PnpGive(PIRP Irp, const VOID *Data, ULONG Bytes)
{
    PVOID Answer = ExAllocatePoolWithTag(PagedPool, Bytes, PNP_TAG);
    if (!Answer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Answer, Data, Bytes);
    Irp->IoStatus.Information = (ULONG_PTR)Answer;
    return STATUS_SUCCESS;
}

static NTSTATUS PnpRootId(PPNP_ROOT_DEVICE Own, PIRP Irp, BUS_QUERY_ID_TYPE Type)
{
    switch (Type) {
    case BusQueryDeviceID:
        return PnpGive(Irp, Own->DeviceId, (ULONG)(wcslen(Own->DeviceId) + 1) * sizeof(WCHAR));
    case BusQueryInstanceID:
        return PnpGive(Irp, Own->Instance, sizeof(Own->Instance));
    case BusQueryHardwareIDs:
        return Own->HardwareIds ? PnpGive(Irp, Own->HardwareIds, PnpListBytes(Own->HardwareIds)) : Irp->IoStatus.Status;
    case BusQueryCompatibleIDs:
        return Own->CompatibleIds ? PnpGive(Irp, Own->CompatibleIds, PnpListBytes(Own->CompatibleIds))
                                  : Irp->IoStatus.Status;
    default:
        return Irp->IoStatus.Status;
    }
}

/* docs: IRP_MN_QUERY_CAPABILITIES: a bus driver sets what it knows and leaves the rest as it came. */
static NTSTATUS PnpRootCapabilities(PDEVICE_CAPABILITIES Capabilities)
{
    if (Capabilities->Version != 1)
        return STATUS_NOT_SUPPORTED;
    Capabilities->DeviceState[PowerSystemUnspecified] = PowerDeviceUnspecified;
    Capabilities->DeviceState[PowerSystemWorking] = PowerDeviceD0;
    for (ULONG i = PowerSystemSleeping1; i < PowerSystemMaximum; i++)
        Capabilities->DeviceState[i] = PowerDeviceD3;
    return STATUS_SUCCESS;
}

static NTSTATUS PnpRootRelations(PDEVICE_OBJECT Device, PIRP Irp, DEVICE_RELATION_TYPE Type)
{
    PDEVICE_RELATIONS Relations;
    if (Type != TargetDeviceRelation)
        return Irp->IoStatus.Status;
    Relations = ExAllocatePoolWithTag(PagedPool, sizeof(*Relations), PNP_TAG);
    if (!Relations)
        return STATUS_INSUFFICIENT_RESOURCES;
    Relations->Count = 1;
    Relations->Objects[0] = Device;
    ObfReferenceObject(Device);
    Irp->IoStatus.Information = (ULONG_PTR)Relations;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI PnpRootDispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PPNP_ROOT_DEVICE Own = Device->DeviceExtension;
    PNP_BUS_INFORMATION Bus = {GUID_BUS_TYPE_INTERNAL, Own->Bus, 0};
    NTSTATUS Status = Irp->IoStatus.Status;
    BOOLEAN Delete = FALSE;
    switch (Stack->MinorFunction) {
    case IRP_MN_START_DEVICE:
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
    case IRP_MN_EJECT:
    case IRP_MN_DEVICE_USAGE_NOTIFICATION:
        Status = STATUS_SUCCESS;
        break;
    case IRP_MN_REMOVE_DEVICE:
        Status = STATUS_SUCCESS;
        Delete = Own->Gone;
        break;
    case IRP_MN_QUERY_ID:
        Status = PnpRootId(Own, Irp, Stack->Parameters.QueryId.IdType);
        break;
    case IRP_MN_QUERY_CAPABILITIES:
        Status = PnpRootCapabilities(Stack->Parameters.DeviceCapabilities.Capabilities);
        break;
    case IRP_MN_QUERY_DEVICE_RELATIONS:
        Status = PnpRootRelations(Device, Irp, Stack->Parameters.QueryDeviceRelations.Type);
        break;
    case IRP_MN_QUERY_DEVICE_TEXT:
        if (Own->Text && Stack->Parameters.QueryDeviceText.DeviceTextType == DeviceTextDescription)
            Status = PnpGive(Irp, Own->Text, (ULONG)(wcslen(Own->Text) + 1) * sizeof(WCHAR));
        break;
    case IRP_MN_QUERY_BUS_INFORMATION:
        Status = PnpGive(Irp, &Bus, sizeof(Bus));
        break;
    default:
        break;
    }
    Irp->IoStatus.Status = Status;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    if (Delete) {
        PnpFreeRootDevice(Device);
        IoDeleteDevice(Device);
    }
    return Status;
}

/* docs: IRP_MJ_POWER: who is at the bottom notes the state and completes. */
static NTSTATUS NTAPI PnpRootPower(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = Irp->IoStatus.Status;
    if (Stack->MinorFunction == IRP_MN_QUERY_POWER || Stack->MinorFunction == IRP_MN_SET_POWER) {
        if (Stack->MinorFunction == IRP_MN_SET_POWER && Stack->Parameters.Power.Type == DevicePowerState)
            PoSetPowerState(Device, DevicePowerState, Stack->Parameters.Power.State);
        Status = STATUS_SUCCESS;
    }
    Irp->IoStatus.Status = Status;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI PnpRootControl(PDEVICE_OBJECT Device, PIRP Irp)
{
    NTSTATUS Status = Irp->IoStatus.Status;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

VOID PnpInitializeRoot(VOID)
{
    PDEVICE_OBJECT Device;
    PnpManager = IopMakeDriver(L"\\Driver\\PnpManager", NULL);
    if (!PnpManager)
        KiInternalError("\\Driver\\PnpManager exists");
    PnpManager->MajorFunction[IRP_MJ_PNP] = PnpRootDispatch;
    PnpManager->MajorFunction[IRP_MJ_POWER] = PnpRootPower;
    PnpManager->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = PnpRootControl;
    /* The top of the tree has an object, too; nothing is ever sent to it but what it leaves alone. */
    if (!NT_SUCCESS(
            IoCreateDevice(PnpManager, sizeof(PNP_ROOT_DEVICE), NULL, FILE_DEVICE_CONTROLLER, 0, FALSE, &Device)))
        KiInternalError("no memory for the device tree");
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    PnpRoot = PnpMakeNode(NULL, Device);
    PnpRoot->State = PnpStarted;
    PnpRoot->Container = (GUID){0, 0, 0, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; /* the computer's own */
    RtlInitUnicodeString(&PnpRoot->InstancePath, PnpCopyString(L"HTREE\\ROOT\\0"));
}

/* The next free "0000" of a device id. */
static VOID PnpPickInstance(PCWSTR DeviceId, PWSTR Instance)
{
    SIZE_T Length = wcslen(DeviceId);
    ULONG Next = 0;
    CHAR Text[16];
    for (PDEVICE_NODE Node = PnpRoot; Node; Node = PnpNextNode(Node, PnpRoot)) {
        PWSTR Path = Node->InstancePath.Buffer;
        if (Path && !_wcsnicmp(Path, DeviceId, Length) && Path[Length] == L'\\' && !wcschr(Path + Length + 1, L'\\'))
            Next = wcstoul(Path + Length + 1, NULL, 10) >= Next ? wcstoul(Path + Length + 1, NULL, 10) + 1 : Next;
    }
    RtlpFormat(Text, sizeof(Text), "%04u", Next);
    RtlpFromUtf8(Instance, 16, Text);
}

NTSTATUS PnpMakeRootDevice(PCWSTR DeviceId, PCWSTR Instance, PCWSTR HardwareIds, PDEVICE_OBJECT *Pdo)
{
    PPNP_ROOT_DEVICE Own;
    PDEVICE_NODE Node;
    NTSTATUS Status = IoCreateDevice(PnpManager, sizeof(*Own), NULL, FILE_DEVICE_CONTROLLER,
                                     FILE_AUTOGENERATED_DEVICE_NAME, FALSE, Pdo);
    if (!NT_SUCCESS(Status))
        return Status;
    Own = (*Pdo)->DeviceExtension;
    Own->DeviceId = PnpCopyString(DeviceId);
    Own->HardwareIds = HardwareIds ? PnpCopyList(HardwareIds) : NULL;
    Own->Bus = Internal;
    if (Instance)
        wcsncpy(Own->Instance, Instance, RTL_NUMBER_OF(Own->Instance) - 1);
    else
        PnpPickInstance(DeviceId, Own->Instance);
    (*Pdo)->Flags &= ~DO_DEVICE_INITIALIZING;
    Node = PnpMakeNode(PnpRoot, *Pdo);
    Node->Seen = TRUE;
    return PnpIdentify(Node) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_COLLISION;
}

VOID PnpDeleteRootDevice(PDEVICE_OBJECT Pdo)
{
    PPNP_ROOT_DEVICE Own = Pdo->DeviceExtension;
    Own->Gone = TRUE;
    PnpNodeOf(Pdo)->Missing = TRUE;
    if (PnpNodeOf(Pdo)->State == PnpEnumerated || PnpNodeOf(Pdo)->State == PnpFailed) { /* nobody else is on it */
        PnpFreeRootDevice(Pdo);
        IoDeleteDevice(Pdo);
    }
}

/* ---- Found by drivers -------------------------------------------------------------------------------------------- */

static NTSTATUS PnpStartReported(PDEVICE_OBJECT Device, PVOID Context)
{
    PDEVICE_NODE Node = PnpNodeOf(Device);
    /* docs: IoReportDetectedDevice: the driver has its resources and runs already; the stack gets no start request. */
    if (Node && Node->State == PnpEnumerated) {
        Node->State = PnpStarted;
    }
    return STATUS_SUCCESS;
}

/* docs: IoReportDetectedDevice: DETECTED\driver with the interface type and bus as ids; *DeviceObject may bring a PDO. */
NTSTATUS NTAPI IoReportDetectedDevice(PDRIVER_OBJECT DriverObject, INTERFACE_TYPE Type, ULONG BusNumber,
                                      ULONG SlotNumber, PCM_RESOURCE_LIST Resources,
                                      PIO_RESOURCE_REQUIREMENTS_LIST Requirements, BOOLEAN ResourceAssigned,
                                      PDEVICE_OBJECT *DeviceObject)
{
    static const PCSTR Types[] = {
        "Internal",  "Isa",  "Eisa",   "MicroChannel", "TurboChannel",      "PCIBus",           "VMEBus",    "NuBus",
        "PCMCIABus", "CBus", "MPIBus", "MPSABus",      "ProcessorInternal", "InternalPowerBus", "PNPISABus", "PNPBus"};
    WCHAR Ids[256] = {0}, Id[128] = L"ROOT\\";
    CHAR Text[128], Service[64];
    PDEVICE_NODE Node;
    PWSTR Name = wcsrchr(DriverObject->DriverName.Buffer, L'\\');
    if (*DeviceObject)
        return STATUS_NOT_SUPPORTED; /* only for the manager's own use, says the page: NULL must be passed */
    PnpInitialize();
    wcsncat(Id, Name ? Name + 1 : L"UNKNOWN", 64);
    RtlpFormat(Service, sizeof(Service), "%ws", Name ? Name + 1 : L"UNKNOWN");
    RtlpFormat(Text, sizeof(Text), "DETECTED%s\\%s", Type >= 0 && Type < (LONG)RTL_NUMBER_OF(Types) ? Types[Type] : "",
               Service);
    RtlpFromUtf8(Ids, 128, Text);
    RtlpFormat(Text, sizeof(Text), "DETECTED\\%s", Service);
    RtlpFromUtf8(Ids + wcslen(Ids) + 1, 100, Text);
    NTSTATUS Status = PnpMakeRootDevice(Id, NULL, Ids, DeviceObject);
    if (!NT_SUCCESS(Status))
        return Status;
    ((PPNP_ROOT_DEVICE)(*DeviceObject)->DeviceExtension)->Bus = Type >= 0 ? Type : Internal;
    Node = PnpNodeOf(*DeviceObject);
    Node->Bus.LegacyBusType = Type;
    Node->Bus.BusNumber = BusNumber;
    Node->Capabilities.Address = SlotNumber;
    Node->Reported = TRUE;
    Node->Boot = PnpCopyResources(Resources);
    Node->Raw = PnpCopyResources(Resources);
    Node->Translated = PnpTranslate(Resources);
    PnpQueue(PnpStartReported, *DeviceObject, NULL);
    return STATUS_SUCCESS;
}

static NTSTATUS PnpStartQueued(PDEVICE_OBJECT Device, PVOID Context)
{
    return PnpStartAll(NULL, NULL);
}

/* docs: IoReportRootDevice: the driver's own device; its AddDevice is called for it. Once for each driver. */
NTSTATUS NTAPI IoReportRootDevice(PDRIVER_OBJECT DriverObject)
{
    WCHAR Id[128] = L"ROOT\\", Ids[129] = {0};
    PDEVICE_OBJECT Pdo;
    PWSTR Name = wcsrchr(DriverObject->DriverName.Buffer, L'\\');
    PnpInitialize();
    wcsncat(Id, Name ? Name + 1 : L"UNKNOWN", 64);
    wcscpy(Ids, Id);
    NTSTATUS Status = PnpMakeRootDevice(Id, L"0000", Ids, &Pdo);
    if (!NT_SUCCESS(Status))
        return STATUS_UNSUCCESSFUL;
    PnpWriteValue(PnpNodeOf(Pdo), NULL, L"Service", REG_SZ, Name + 1, (ULONG)(wcslen(Name + 1) + 1) * sizeof(WCHAR));
    PnpQueue(PnpStartQueued, NULL, NULL);
    return STATUS_SUCCESS;
}
