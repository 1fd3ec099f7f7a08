/*
 * A driver deletes its device when the hardware has gone, and IRP_MN_REMOVE_DEVICE is still to come.
 *
 * EXPECT: pnp.deleted-on-surprise simple_body.h:[0-9]+ in Pnp
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor == IRP_MN_QUERY_PNP_DEVICE_STATE) {
        Irp->IoStatus.Information |= PNP_DEVICE_FAILED; /* removed by surprise, then */
        Irp->IoStatus.Status = STATUS_SUCCESS;
        *Status = PassOn(Device, Irp);
        return TRUE;
    }
    if (Minor != IRP_MN_SURPRISE_REMOVAL)
        return FALSE;
    PDEVICE_OBJECT Lower = Extension(Device)->lower;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    *Status = PassOn(Device, Irp);
    IoDetachDevice(Lower);
    IoDeleteDevice(Device);
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
