/*
 * A request of a driver begins with STATUS_NOT_SUPPORTED.
 */
#include "../../pnp/simple.h"

static void Ask(PDEVICE_OBJECT Device)
{
    IO_STATUS_BLOCK Iosb;
    KEVENT Event;
    PIRP Irp;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp = IoBuildSynchronousFsdRequest(IRP_MJ_PNP, Extension(Device)->lower, NULL, 0, NULL, &Event, &Iosb);
    Irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    IoGetNextIrpStackLocation(Irp)->MinorFunction = IRP_MN_QUERY_PNP_DEVICE_STATE;
    IoCallDriver(Extension(Device)->lower, Irp); /* @ */
}

#define STARTED Ask

#include "../../pnp/simple_body.h"
