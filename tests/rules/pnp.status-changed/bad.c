/*
 * A driver fails requests that it does not know.
 *
 * EXPECT: pnp.status-changed bad.c:@ in .*
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor <= IRP_MN_SURPRISE_REMOVAL)
        return FALSE;
    *Status = Irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    IoCompleteRequest(Irp, IO_NO_INCREMENT); /* @ */
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
