/*
 * A function driver answers, and passes the request down.
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_QUERY_PNP_DEVICE_STATE)
        return FALSE;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    *Status = PassOn(Device, Irp);
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
