/*
 * A driver that fails a request completes it.
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_QUERY_PNP_DEVICE_STATE)
        return FALSE;
    *Status = Complete(Irp, STATUS_UNSUCCESSFUL);
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
