/*
 * A driver lets go of its power request before the device goes.
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

static void PassKept(PDEVICE_OBJECT Device)
{
    IoSkipCurrentIrpStackLocation(Kept);
    PoCallDriver(Extension(Device)->lower, Kept);
}

#define STARTED Wake
#define POWER_HOOK Hook
#define REMOVING PassKept

#include "../../pnp/simple_body.h"
