/* The second half of simple.h, behind the hooks of the file that includes it. */
static NTSTATUS Start(PDEVICE_OBJECT Device, PIRP Irp)
{
    NTSTATUS Status;
    if (!IoForwardIrpSynchronously(Extension(Device)->lower, Irp))
        return Complete(Irp, STATUS_UNSUCCESSFUL);
    Status = Irp->IoStatus.Status;
#ifdef STARTED
    if (NT_SUCCESS(Status))
        STARTED(Device);
#endif
    return Complete(Irp, Status);
}

static NTSTATUS Remove(PDEVICE_OBJECT Device, PIRP Irp)
{
    PDEVICE_OBJECT Lower = Extension(Device)->lower;
    NTSTATUS Status;
#ifdef REMOVING
    REMOVING(Device);
#endif
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Status = PassOn(Device, Irp);
#ifndef DO_NOT_DETACH
    IoDetachDevice(Lower);
#ifndef DO_NOT_DELETE
    IoDeleteDevice(Device);
#endif
#else
    (void)Lower;
#endif
    return Status;
}

static NTSTATUS NTAPI Pnp(PDEVICE_OBJECT Device, PIRP Irp)
{
    UCHAR Minor = IoGetCurrentIrpStackLocation(Irp)->MinorFunction;
#ifdef PNP_HOOK
    NTSTATUS Status;
    if (PNP_HOOK(Device, Irp, Minor, &Status))
        return Status;
#endif
    switch (Minor) {
    case IRP_MN_START_DEVICE:
        return Start(Device, Irp);
    case IRP_MN_REMOVE_DEVICE:
        return Remove(Device, Irp);
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    }
    return PassOn(Device, Irp);
}

static NTSTATUS NTAPI Power(PDEVICE_OBJECT Device, PIRP Irp)
{
#ifdef POWER_HOOK
    NTSTATUS Status;
    if (POWER_HOOK(Device, Irp, IoGetCurrentIrpStackLocation(Irp)->MinorFunction, &Status))
        return Status;
#endif
    PoStartNextPowerIrp(Irp);
    IoSkipCurrentIrpStackLocation(Irp);
    return PoCallDriver(Extension(Device)->lower, Irp);
}

static NTSTATUS NTAPI SystemControl(PDEVICE_OBJECT Device, PIRP Irp)
{
#ifdef CONTROL_HOOK
    NTSTATUS Status;
    if (CONTROL_HOOK(Device, Irp, IoGetCurrentIrpStackLocation(Irp)->MinorFunction, &Status))
        return Status;
#endif
    return PassOn(Device, Irp);
}

static NTSTATUS NTAPI OpenOrClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS NTAPI AddDevice(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Pdo)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, sizeof(struct device), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    Extension(Device)->self = Device;
    Extension(Device)->pdo = Pdo;
    Extension(Device)->lower = IoAttachDeviceToDeviceStack(Device, Pdo);
    if (!Extension(Device)->lower) {
        IoDeleteDevice(Device);
        return STATUS_NO_SUCH_DEVICE;
    }
#ifdef ADDED
    ADDED(Device);
#endif
#ifndef STILL_INITIALIZING
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
#endif
    return STATUS_SUCCESS;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
#ifdef UNLOADING
    UNLOADING();
#endif
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    Driver->DriverExtension->AddDevice = AddDevice;
    Driver->DriverUnload = Unload;
    Driver->MajorFunction[IRP_MJ_CREATE] = OpenOrClose;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = OpenOrClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    Driver->MajorFunction[IRP_MJ_PNP] = Pnp;
    Driver->MajorFunction[IRP_MJ_POWER] = Power;
    Driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = SystemControl;
    return STATUS_SUCCESS;
}
