/*
 * What drivers of older shape call for power requests. Since Windows Vista PoCallDriver is IoCallDriver, and
 * PoStartNextPowerIrp has nothing to start (docs: the pages of these names).
 */
#include "nt.h"

NTSTATUS NTAPI PoCallDriver(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IofCallDriver(Device, Irp);
}

VOID NTAPI PoStartNextPowerIrp(PIRP Irp)
{
}

/* docs: PoSetPowerState: notes the device's new state, returns the one before. System states are the system's to set.
 */
POWER_STATE NTAPI PoSetPowerState(PDEVICE_OBJECT Device, POWER_STATE_TYPE Type, POWER_STATE State)
{
    POWER_STATE Before = {.DeviceState = (DEVICE_POWER_STATE)IopDeviceOf(Device)->PowerState};
    if (Type != DevicePowerState)
        return State;
    IopDeviceOf(Device)->PowerState = (UCHAR)State.DeviceState;
    return Before;
}
