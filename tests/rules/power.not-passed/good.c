/*
 * A function driver passes the power request down.
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
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoSkipCurrentIrpStackLocation(Irp);
    *Status = PoCallDriver(Extension(Device)->lower, Irp);
    return TRUE;
}

#define STARTED Wake
#define POWER_HOOK Hook

#include "../../pnp/simple_body.h"
