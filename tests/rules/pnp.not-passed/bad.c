/*
 * A function driver completes a request that the drivers below are to answer, too.
 *
 * EXPECT: pnp.not-passed bad.c:@ in .*
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_QUERY_PNP_DEVICE_STATE)
        return FALSE;
    *Status = Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT); /* @ */
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
