/*
 * A function driver for the children of bus.c. It says what the Plug and Play manager and the power manager ask of it, holds
 * its device with a remove lock, gives it an interface, and puts it to sleep and wakes it when the system does so. Programs
 * (client/bus-client.c) open \\.\Widget1, \\.\Widget2 and ask which widget that is.
 */
#include <ntddk.h>
#include <ntstrsafe.h>

#define IOCTL_WIDGET_NUMBER CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_READ_ACCESS) /* out: ULONG */

static const GUID WidgetClass = {0x5f2c9a10, 0x8e57, 0x4d21, {0xa3, 0x0b, 0x77, 0x10, 0x2e, 0x94, 0x6c, 0x3d}};

struct widget {
    PDEVICE_OBJECT self, pdo, lower;
    IO_REMOVE_LOCK lock;
    UNICODE_STRING link;
    WCHAR name[24]; /* leads to `link`, hence nowhere while the interface is off */
    ULONG number;
    DEVICE_POWER_STATE power;
};

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS PassOn(struct widget *Widget, PIRP Irp)
{
    NTSTATUS Status;
    IoSkipCurrentIrpStackLocation(Irp);
    Status = IoCallDriver(Widget->lower, Irp);
    IoReleaseRemoveLock(&Widget->lock, Irp);
    return Status;
}

static NTSTATUS NameLink(struct widget *Widget)
{
    UNICODE_STRING Name;
    NTSTATUS Status = RtlStringCbPrintfW(Widget->name, sizeof(Widget->name), L"\\DosDevices\\Widget%u", Widget->number);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlInitUnicodeString(&Name, Widget->name);
    return IoCreateSymbolicLink(&Name, &Widget->link);
}

static VOID FreeLinks(struct widget *Widget)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Widget->name);
    IoDeleteSymbolicLink(&Name);
    RtlFreeUnicodeString(&Widget->link);
}

/* ---- Plug and Play ----------------------------------------------------------------------------------------------- */

static NTSTATUS Start(struct widget *Widget, PIRP Irp)
{
    NTSTATUS Status;
    if (!IoForwardIrpSynchronously(Widget->lower, Irp))
        Irp->IoStatus.Status = STATUS_UNSUCCESSFUL;
    Status = Irp->IoStatus.Status;
    if (NT_SUCCESS(Status)) {
        POWER_STATE Full = {.DeviceState = PowerDeviceD0};
        PoSetPowerState(Widget->self, DevicePowerState, Full);
        Widget->power = PowerDeviceD0;
        Status = IoSetDeviceInterfaceState(&Widget->link, TRUE);
        if (Status == STATUS_OBJECT_NAME_EXISTS)
            Status = STATUS_SUCCESS;
        DbgPrint("widget %u: started\n", Widget->number);
    }
    IoReleaseRemoveLock(&Widget->lock, Irp);
    return Complete(Irp, Status);
}

static NTSTATUS Remove(struct widget *Widget, PIRP Irp)
{
    NTSTATUS Status;
    PDEVICE_OBJECT Self = Widget->self;
    DbgPrint("widget %u: removed\n", Widget->number);
    IoSetDeviceInterfaceState(&Widget->link, FALSE);
    IoReleaseRemoveLockAndWait(&Widget->lock, Irp);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoSkipCurrentIrpStackLocation(Irp);
    Status = IoCallDriver(Widget->lower, Irp);
    FreeLinks(Widget);
    IoDetachDevice(Widget->lower);
    IoDeleteDevice(Self);
    return Status;
}

static NTSTATUS NTAPI Pnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    struct widget *Widget = Device->DeviceExtension;
    NTSTATUS Status = IoAcquireRemoveLock(&Widget->lock, Irp);
    if (!NT_SUCCESS(Status))
        return Complete(Irp, Status);
    switch (IoGetCurrentIrpStackLocation(Irp)->MinorFunction) {
    case IRP_MN_START_DEVICE:
        return Start(Widget, Irp);
    case IRP_MN_REMOVE_DEVICE:
        return Remove(Widget, Irp);
    case IRP_MN_SURPRISE_REMOVAL:
        DbgPrint("widget %u: pulled out\n", Widget->number);
        IoSetDeviceInterfaceState(&Widget->link, FALSE);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_QUERY_STOP_DEVICE:
        DbgPrint("widget %u: asked whether it may %s\n", Widget->number,
                 IoGetCurrentIrpStackLocation(Irp)->MinorFunction == IRP_MN_QUERY_STOP_DEVICE ? "stop" : "go");
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_STOP_DEVICE:
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    }
    return PassOn(Widget, Irp);
}

/* ---- Power: the device's state follows the system's (docs: "Handling a System Set-Power IRP in a Device Power Policy
 * Owner") ---------------------------------------------------------------------------------------------------------- */

static VOID NTAPI DeviceStateSet(PDEVICE_OBJECT Device, UCHAR Minor, POWER_STATE State, PVOID Context,
                                 PIO_STATUS_BLOCK Iosb)
{
    PIRP SystemIrp = Context;
    struct widget *Widget = Device->DeviceExtension;
    SystemIrp->IoStatus.Status = Iosb->Status;
    PoStartNextPowerIrp(SystemIrp);
    IoCompleteRequest(SystemIrp, IO_NO_INCREMENT);
    IoReleaseRemoveLock(&Widget->lock, SystemIrp);
}

static NTSTATUS NTAPI SystemStateSet(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    struct widget *Widget = Context;
    POWER_STATE State;
    NTSTATUS Status = Irp->IoStatus.Status;

    if (!NT_SUCCESS(Status)) {
        IoReleaseRemoveLock(&Widget->lock, Irp);
        if (Irp->PendingReturned)
            IoMarkIrpPending(Irp);
        return STATUS_CONTINUE_COMPLETION;
    }
    State.DeviceState = Stack->Parameters.Power.State.SystemState == PowerSystemWorking ? PowerDeviceD0 : PowerDeviceD3;
    Status = PoRequestPowerIrp(Widget->self, Stack->MinorFunction, State, DeviceStateSet, Irp, NULL);
    if (Status == STATUS_PENDING)
        return STATUS_MORE_PROCESSING_REQUIRED;
    Irp->IoStatus.Status = Status;
    IoReleaseRemoveLock(&Widget->lock, Irp);
    return STATUS_CONTINUE_COMPLETION;
}

static NTSTATUS NTAPI DeviceIsUp(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    struct widget *Widget = Context;
    if (Irp->PendingReturned)
        IoMarkIrpPending(Irp);
    if (NT_SUCCESS(Irp->IoStatus.Status)) {
        Widget->power = PowerDeviceD0;
        PoSetPowerState(Widget->self, DevicePowerState, Stack->Parameters.Power.State);
        DbgPrint("widget %u: awake\n", Widget->number);
    }
    IoReleaseRemoveLock(&Widget->lock, Irp);
    return STATUS_CONTINUE_COMPLETION;
}

static NTSTATUS SetDevicePower(struct widget *Widget, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    if (Stack->Parameters.Power.State.DeviceState == PowerDeviceD0) {
        /* up: the lower ones first */
        IoMarkIrpPending(Irp);
        IoCopyCurrentIrpStackLocationToNext(Irp);
        IoSetCompletionRoutine(Irp, DeviceIsUp, Widget, TRUE, TRUE, TRUE);
        PoCallDriver(Widget->lower, Irp);
        return STATUS_PENDING;
    }
    DbgPrint("widget %u: sleeps\n", Widget->number);
    Widget->power = Stack->Parameters.Power.State.DeviceState;
    PoSetPowerState(Widget->self, DevicePowerState, Stack->Parameters.Power.State);
    return PassOn(Widget, Irp);
}

static NTSTATUS NTAPI Power(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    struct widget *Widget = Device->DeviceExtension;
    NTSTATUS Status = IoAcquireRemoveLock(&Widget->lock, Irp);
    if (!NT_SUCCESS(Status)) {
        PoStartNextPowerIrp(Irp);
        return Complete(Irp, Status);
    }
    if (Stack->MinorFunction != IRP_MN_SET_POWER && Stack->MinorFunction != IRP_MN_QUERY_POWER) {
        PoStartNextPowerIrp(Irp);
        return PassOn(Widget, Irp);
    }
    if (Stack->Parameters.Power.Type == SystemPowerState) {
        IoMarkIrpPending(Irp);
        IoCopyCurrentIrpStackLocationToNext(Irp);
        IoSetCompletionRoutine(Irp, SystemStateSet, Widget, TRUE, TRUE, TRUE);
        PoCallDriver(Widget->lower, Irp);
        return STATUS_PENDING;
    }
    PoStartNextPowerIrp(Irp);
    if (Stack->MinorFunction == IRP_MN_SET_POWER)
        return SetDevicePower(Widget, Irp, Stack);
    return PassOn(Widget, Irp);
}

static NTSTATUS NTAPI SystemControl(PDEVICE_OBJECT Device, PIRP Irp)
{
    struct widget *Widget = Device->DeviceExtension;
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Widget->lower, Irp);
}

static NTSTATUS NTAPI OpenOrClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    Irp->IoStatus.Information = 0;
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    struct widget *Widget = Device->DeviceExtension;
    NTSTATUS Status = IoAcquireRemoveLock(&Widget->lock, Irp);
    if (!NT_SUCCESS(Status))
        return Complete(Irp, Status);
    if (Stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_WIDGET_NUMBER)
        Status = STATUS_INVALID_DEVICE_REQUEST;
    else if (Stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(Widget->number))
        Status = STATUS_BUFFER_TOO_SMALL;
    else {
        *(ULONG *)Irp->AssociatedIrp.SystemBuffer = Widget->number;
        Irp->IoStatus.Information = sizeof(Widget->number);
    }
    Complete(Irp, Status);
    IoReleaseRemoveLock(&Widget->lock, Irp);
    return Status;
}

static NTSTATUS NTAPI AddDevice(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Pdo)
{
    PDEVICE_OBJECT Device;
    struct widget *Widget;
    ULONG Bytes;
    NTSTATUS Status =
        IoCreateDevice(Driver, sizeof(*Widget), NULL, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    Widget = Device->DeviceExtension;
    Widget->self = Device;
    Widget->pdo = Pdo;
    IoInitializeRemoveLock(&Widget->lock, 'tgdW', 0, 0);
    IoGetDeviceProperty(Pdo, DevicePropertyUINumber, sizeof(Widget->number), &Widget->number, &Bytes);
    Status = IoRegisterDeviceInterface(Pdo, &WidgetClass, NULL, &Widget->link);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(Device);
        return Status;
    }
    Status = NameLink(Widget);
    if (!NT_SUCCESS(Status)) {
        RtlFreeUnicodeString(&Widget->link);
        IoDeleteDevice(Device);
        return Status;
    }
    Widget->lower = IoAttachDeviceToDeviceStack(Device, Pdo);
    if (!Widget->lower) {
        FreeLinks(Widget);
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
    Driver->MajorFunction[IRP_MJ_CREATE] = OpenOrClose;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = OpenOrClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->MajorFunction[IRP_MJ_PNP] = Pnp;
    Driver->MajorFunction[IRP_MJ_POWER] = Power;
    Driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = SystemControl;
    return STATUS_SUCCESS;
}
