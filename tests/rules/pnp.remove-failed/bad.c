/*
 * A driver refuses a removal that it was only told about.
 *
 * EXPECT: pnp.remove-failed bad.c:@ in .*
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_REMOVE_DEVICE)
        return FALSE;
    *Status = Irp->IoStatus.Status = STATUS_DEVICE_BUSY;
    IoCompleteRequest(Irp, IO_NO_INCREMENT); /* @ */
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
