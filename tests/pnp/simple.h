/*
 * A function driver for one device that does everything right, for files that want to change one thing. Before including
 * it define some of
 *
 *   PNP_HOOK(Device, Irp, Minor, Status)    BOOLEAN: it has dealt with the request, *Status is what the routine returns
 *   POWER_HOOK(Device, Irp, Minor, Status)
 *   CONTROL_HOOK(Device, Irp, Minor, Status) the same for IRP_MJ_SYSTEM_CONTROL
 *   STARTED(Device), REMOVING(Device)       after the start has succeeded, before the device goes
 *   ADDED(Device)                           at the end of AddDevice
 *   UNLOADING()                             in the unload routine
 *   STILL_INITIALIZING, DO_NOT_DETACH, DO_NOT_DELETE
 */
#pragma once
#include <ntddk.h>

struct device {
    PDEVICE_OBJECT self, pdo, lower;
};

static inline struct device *Extension(PDEVICE_OBJECT Device)
{
    return Device->DeviceExtension;
}

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS PassOn(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Extension(Device)->lower, Irp);
}
