/*
 * A driver deletes its device in IRP_MN_REMOVE_DEVICE, which follows IRP_MN_SURPRISE_REMOVAL.
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
    return FALSE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
