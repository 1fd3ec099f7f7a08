/*
 * A function driver completes a power request; the bus below never hears of it.
 *
 * EXPECT: power.not-passed bad.c:@ in .*
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
    *Status = Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT); /* @ */
    return TRUE;
}

#define STARTED Wake
#define POWER_HOOK Hook

#include "../../pnp/simple_body.h"
