/*
 * A driver keeps a power request and never completes it.
 *
 * EXPECT: power.irp-blocked simple_body.h:[0-9]+ in Power
 * OPTIONS: --for 700s
 */
#include "../../pnp/simple.h"

static void Wake(PDEVICE_OBJECT Device)
{
    POWER_STATE State = {.DeviceState = PowerDeviceD0};
    PoRequestPowerIrp(Device, IRP_MN_SET_POWER, State, NULL, NULL, NULL);
}

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_SET_POWER)
        return FALSE;
    IoMarkIrpPending(Irp);
    *Status = STATUS_PENDING; /* and nobody remembers the request */
    return TRUE;
}

#define STARTED Wake
#define POWER_HOOK Hook

#include "../../pnp/simple_body.h"
