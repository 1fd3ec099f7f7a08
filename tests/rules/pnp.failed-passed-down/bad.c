/*
 * A driver fails a request and passes it down as well.
 *
 * EXPECT: pnp.failed-passed-down simple_body.h:[0-9]+ in Pnp
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_QUERY_PNP_DEVICE_STATE)
        return FALSE;
    Irp->IoStatus.Status = STATUS_UNSUCCESSFUL;
    IoSkipCurrentIrpStackLocation(Irp);
    *Status = IoCallDriver(Extension(Device)->lower, Irp);
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
