/*
 * A bus driver: one bus with two children. The bus is a device of the root enumerator; its driver reports a child for each
 * slot that has something plugged in, answers what the Plug and Play manager asks of the children, and deletes a child when
 * it has gone and been removed.
 *
 *   irqlab run --device 'Root\ToyBus=bus.sys' --device 'ToyBus\Widget=widget.sys' bus.sys widget.sys
 *
 * The functional device of the bus (FDO) sits on the root enumerator's device; each child is a physical device (PDO) of this
 * driver, on which widget.sys puts its own. What a request is about is told by the first field of the extension.
 */
#include <ntddk.h>

#define SLOTS 2

struct common {
    BOOLEAN is_bus;
    DEVICE_POWER_STATE power;
};

struct bus {
    struct common common;
    PDEVICE_OBJECT pdo, lower;
    PDEVICE_OBJECT child[SLOTS]; /* NULL = an empty slot */
    BOOLEAN plugged[SLOTS];
};

struct child {
    struct common common;
    PDEVICE_OBJECT bus;
    ULONG slot;
    BOOLEAN reported_missing; /* the manager knows that it has gone */
};

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS PassOn(struct bus *Bus, PIRP Irp)
{
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Bus->lower, Irp);
}

static PVOID Give(const void *Data, SIZE_T Bytes)
{
    PVOID Memory = ExAllocatePoolWithTag(PagedPool, Bytes, 'suBT');
    if (Memory)
        RtlCopyMemory(Memory, Data, Bytes);
    return Memory;
}

/* ---- Children ---------------------------------------------------------------------------------------------------- */

static NTSTATUS QueryId(struct child *Child, PIRP Irp, BUS_QUERY_ID_TYPE Type)
{
    static const WCHAR Device[] = L"ToyBus\\Widget", Ids[] = L"ToyBus\\Widget\0", Compatible[] = L"ToyBus\\Anything\0";
    WCHAR Instance[] = L"0";
    PVOID Answer;

    Instance[0] = (WCHAR)(L'0' + Child->slot);
    switch (Type) {
    case BusQueryDeviceID:
        Answer = Give(Device, sizeof(Device));
        break;
    case BusQueryInstanceID:
        Answer = Give(Instance, sizeof(Instance));
        break;
    case BusQueryHardwareIDs:
        Answer = Give(Ids, sizeof(Ids));
        break;
    case BusQueryCompatibleIDs:
        Answer = Give(Compatible, sizeof(Compatible));
        break;
    default:
        return Complete(Irp, Irp->IoStatus.Status);
    }
    Irp->IoStatus.Information = (ULONG_PTR)Answer;
    return Complete(Irp, Answer ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
}

static NTSTATUS QueryText(PIRP Irp, DEVICE_TEXT_TYPE Type)
{
    static const WCHAR Name[] = L"Widget on the toy bus", Place[] = L"A slot of the toy bus";
    PVOID Answer = Type == DeviceTextDescription           ? Give(Name, sizeof(Name))
                   : Type == DeviceTextLocationInformation ? Give(Place, sizeof(Place))
                                                           : NULL;
    if (!Answer)
        return Complete(Irp, Irp->IoStatus.Status);
    Irp->IoStatus.Information = (ULONG_PTR)Answer;
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS QueryCapabilities(struct child *Child, PIRP Irp, PDEVICE_CAPABILITIES Capabilities)
{
    Capabilities->EjectSupported = TRUE;
    Capabilities->Removable = TRUE;
    Capabilities->SurpriseRemovalOK = TRUE;
    Capabilities->UniqueID = FALSE; /* the instance id is unique on this bus only */
    Capabilities->Address = Child->slot;
    Capabilities->UINumber = Child->slot + 1;
    Capabilities->DeviceState[PowerSystemWorking] = PowerDeviceD0;
    for (int i = PowerSystemSleeping1; i < PowerSystemMaximum; i++)
        Capabilities->DeviceState[i] = PowerDeviceD3;
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS QueryBus(PIRP Irp)
{
    static const PNP_BUS_INFORMATION Bus = {
        {0x7a1c5d6e, 0x3b0f, 0x4a52, {0x9c, 0x11, 0x20, 0x6d, 0x4e, 0x8f, 0x5a, 0x01}}, PNPBus, 0};
    Irp->IoStatus.Information = (ULONG_PTR)Give(&Bus, sizeof(Bus));
    return Complete(Irp, Irp->IoStatus.Information ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
}

static NTSTATUS QueryTarget(PDEVICE_OBJECT Device, PIRP Irp)
{
    PDEVICE_RELATIONS Relations = ExAllocatePoolWithTag(PagedPool, sizeof(*Relations), 'suBT');
    if (!Relations)
        return Complete(Irp, STATUS_INSUFFICIENT_RESOURCES);
    Relations->Count = 1;
    Relations->Objects[0] = Device;
    ObReferenceObject(Device);
    Irp->IoStatus.Information = (ULONG_PTR)Relations;
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS RemoveChild(PDEVICE_OBJECT Device, struct child *Child, PIRP Irp)
{
    struct bus *Bus = Child->bus->DeviceExtension;
    NTSTATUS Status = Complete(Irp, STATUS_SUCCESS);
    /* A child that is still plugged in stays: it may get its driver again. */
    if (Child->reported_missing) {
        if (Bus->child[Child->slot] == Device)
            Bus->child[Child->slot] = NULL;
        IoDeleteDevice(Device);
    }
    return Status;
}

static NTSTATUS EjectChild(PDEVICE_OBJECT Device, struct child *Child, PIRP Irp)
{
    struct bus *Bus = Child->bus->DeviceExtension;
    DbgPrint("bus: slot %u opens\n", Child->slot);
    Bus->plugged[Child->slot] = FALSE;
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS ChildPnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    struct child *Child = Device->DeviceExtension;

    switch (Stack->MinorFunction) {
    case IRP_MN_START_DEVICE:
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
        return Complete(Irp, STATUS_SUCCESS);
    case IRP_MN_REMOVE_DEVICE:
        return RemoveChild(Device, Child, Irp);
    case IRP_MN_EJECT:
        return EjectChild(Device, Child, Irp);
    case IRP_MN_QUERY_ID:
        return QueryId(Child, Irp, Stack->Parameters.QueryId.IdType);
    case IRP_MN_QUERY_DEVICE_TEXT:
        return QueryText(Irp, Stack->Parameters.QueryDeviceText.DeviceTextType);
    case IRP_MN_QUERY_CAPABILITIES:
        return QueryCapabilities(Child, Irp, Stack->Parameters.DeviceCapabilities.Capabilities);
    case IRP_MN_QUERY_BUS_INFORMATION:
        return QueryBus(Irp);
    case IRP_MN_QUERY_DEVICE_RELATIONS:
        if (Stack->Parameters.QueryDeviceRelations.Type == TargetDeviceRelation)
            return QueryTarget(Device, Irp);
        break;
    }
    return Complete(Irp, Irp->IoStatus.Status); /* not ours: as it came */
}

/* ---- The bus ----------------------------------------------------------------------------------------------------- */

static void FillSlot(PDEVICE_OBJECT Device, struct bus *Bus, ULONG Slot)
{
    struct child *Child;
    if (!NT_SUCCESS(IoCreateDevice(Device->DriverObject, sizeof(struct child), NULL, FILE_DEVICE_UNKNOWN,
                                   FILE_AUTOGENERATED_DEVICE_NAME | FILE_DEVICE_SECURE_OPEN, FALSE, &Bus->child[Slot])))
        return;
    Child = Bus->child[Slot]->DeviceExtension;
    Child->bus = Device;
    Child->slot = Slot;
    Child->common.power = PowerDeviceD0;
    Bus->child[Slot]->Flags |= DO_POWER_PAGABLE;
    Bus->child[Slot]->Flags &= ~DO_DEVICE_INITIALIZING;
}

static NTSTATUS QueryChildren(PDEVICE_OBJECT Device, struct bus *Bus, PIRP Irp)
{
    PDEVICE_RELATIONS Relations =
        ExAllocatePoolWithTag(PagedPool, FIELD_OFFSET(DEVICE_RELATIONS, Objects[SLOTS]), 'suBT');
    if (!Relations)
        return Complete(Irp, STATUS_INSUFFICIENT_RESOURCES);
    Relations->Count = 0;
    for (ULONG i = 0; i < SLOTS; i++) {
        if (Bus->plugged[i] && !Bus->child[i])
            FillSlot(Device, Bus, i);
        if (Bus->child[i] && !Bus->plugged[i])
            ((struct child *)Bus->child[i]->DeviceExtension)->reported_missing = TRUE;
        else if (Bus->child[i]) {
            ObReferenceObject(Bus->child[i]);
            Relations->Objects[Relations->Count++] = Bus->child[i];
        }
    }
    Irp->IoStatus.Information = (ULONG_PTR)Relations;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    return PassOn(Bus, Irp);
}

static NTSTATUS RemoveBus(PDEVICE_OBJECT Device, struct bus *Bus, PIRP Irp)
{
    NTSTATUS Status;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Status = PassOn(Bus, Irp);
    for (ULONG i = 0; i < SLOTS; i++)
        if (Bus->child[i])
            IoDeleteDevice(Bus->child[i]);
    IoDetachDevice(Bus->lower);
    IoDeleteDevice(Device);
    return Status;
}

static NTSTATUS BusPnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    struct bus *Bus = Device->DeviceExtension;

    switch (Stack->MinorFunction) {
    case IRP_MN_START_DEVICE:
        if (!IoForwardIrpSynchronously(Bus->lower, Irp))
            return Complete(Irp, STATUS_UNSUCCESSFUL);
        Bus->common.power = PowerDeviceD0;
        return Complete(Irp, Irp->IoStatus.Status);
    case IRP_MN_QUERY_DEVICE_RELATIONS:
        if (Stack->Parameters.QueryDeviceRelations.Type == BusRelations)
            return QueryChildren(Device, Bus, Irp);
        return PassOn(Bus, Irp);
    case IRP_MN_REMOVE_DEVICE:
        return RemoveBus(Device, Bus, Irp);
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
        Irp->IoStatus.Status = STATUS_SUCCESS;
        return PassOn(Bus, Irp);
    default:
        return PassOn(Bus, Irp);
    }
}

/* ---- Entry points ------------------------------------------------------------------------------------------------ */

static NTSTATUS NTAPI Pnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    return ((struct common *)Device->DeviceExtension)->is_bus ? BusPnp(Device, Irp) : ChildPnp(Device, Irp);
}

static NTSTATUS NTAPI Power(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    struct common *Common = Device->DeviceExtension;
    NTSTATUS Status = Irp->IoStatus.Status;

    if (Common->is_bus) {
        PoStartNextPowerIrp(Irp);
        IoSkipCurrentIrpStackLocation(Irp);
        return PoCallDriver(((struct bus *)Common)->lower, Irp);
    }
    if (Stack->MinorFunction == IRP_MN_SET_POWER && Stack->Parameters.Power.Type == DevicePowerState) {
        Common->power = Stack->Parameters.Power.State.DeviceState;
        PoSetPowerState(Device, DevicePowerState, Stack->Parameters.Power.State);
    }
    if (Stack->MinorFunction == IRP_MN_SET_POWER || Stack->MinorFunction == IRP_MN_QUERY_POWER)
        Status = STATUS_SUCCESS;
    PoStartNextPowerIrp(Irp);
    return Complete(Irp, Status);
}

static NTSTATUS NTAPI SystemControl(PDEVICE_OBJECT Device, PIRP Irp)
{
    struct common *Common = Device->DeviceExtension;
    return Common->is_bus ? PassOn((struct bus *)Common, Irp) : Complete(Irp, Irp->IoStatus.Status);
}

static NTSTATUS NTAPI AddDevice(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Pdo)
{
    PDEVICE_OBJECT Device;
    struct bus *Bus;
    NTSTATUS Status =
        IoCreateDevice(Driver, sizeof(*Bus), NULL, FILE_DEVICE_BUS_EXTENDER, FILE_DEVICE_SECURE_OPEN, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    Bus = Device->DeviceExtension;
    Bus->common.is_bus = TRUE;
    Bus->pdo = Pdo;
    for (ULONG i = 0; i < SLOTS; i++)
        Bus->plugged[i] = TRUE;
    Bus->lower = IoAttachDeviceToDeviceStack(Device, Pdo);
    if (!Bus->lower) {
        IoDeleteDevice(Device);
        return STATUS_NO_SUCH_DEVICE;
    }
    Device->Flags |= DO_POWER_PAGABLE;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    Driver->DriverExtension->AddDevice = AddDevice;
    Driver->DriverUnload = Unload;
    Driver->MajorFunction[IRP_MJ_PNP] = Pnp;
    Driver->MajorFunction[IRP_MJ_POWER] = Power;
    Driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = SystemControl;
    return STATUS_SUCCESS;
}
