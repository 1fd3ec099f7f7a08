/*
 * A driver passes on what it does not know, as it came.
 */
#include "../../pnp/simple.h"

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor <= IRP_MN_SURPRISE_REMOVAL)
        return FALSE;
    *Status = PassOn(Device, Irp);
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
