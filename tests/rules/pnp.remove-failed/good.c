/*
 * A driver that does not want to go says so when it is asked.
 */
#include "../../pnp/simple.h"

static BOOLEAN Asked;

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_QUERY_REMOVE_DEVICE || Asked)
        return FALSE;
    Asked = TRUE;
    *Status = Complete(Irp, STATUS_DEVICE_BUSY);
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
