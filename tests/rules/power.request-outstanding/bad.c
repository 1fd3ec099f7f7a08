/*
 * A driver deletes its device while it keeps a power request of its own.
 *
 * EXPECT: power.request-outstanding simple_body.h:[0-9]+ in Remove
 */
#include "../../pnp/simple.h"

static PIRP Kept;

static void Wake(PDEVICE_OBJECT Device)
{
    POWER_STATE State = {.DeviceState = PowerDeviceD0};
    PoRequestPowerIrp(Device, IRP_MN_SET_POWER, State, NULL, NULL, NULL);
}

/* The request waits for the hardware, which says nothing. */
static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_SET_POWER)
        return FALSE;
    IoMarkIrpPending(Irp);
    Kept = Irp;
    *Status = STATUS_PENDING;
    return TRUE;
}

#define STARTED Wake
#define POWER_HOOK Hook

#include "../../pnp/simple_body.h"
