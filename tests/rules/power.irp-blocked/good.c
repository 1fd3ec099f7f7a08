/*
 * A driver keeps a power request for a while.
 *
 * OPTIONS: --for 700s
 */
#include "../../pnp/simple.h"

static PIRP Kept;
static KTIMER Timer;
static KDPC Dpc;

static void NTAPI Later(PKDPC D, PVOID Device, PVOID A, PVOID B)
{
    PIRP Irp = Kept;
    Kept = NULL;
    if (!Irp)
        return;
    IoSkipCurrentIrpStackLocation(Irp);
    PoCallDriver(Extension(Device)->lower, Irp);
}

static void Wake(PDEVICE_OBJECT Device)
{
    POWER_STATE State = {.DeviceState = PowerDeviceD0};
    PoRequestPowerIrp(Device, IRP_MN_SET_POWER, State, NULL, NULL, NULL);
}

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_SET_POWER)
        return FALSE;
    LARGE_INTEGER Due = {.QuadPart = -5 * 10000000};
    IoMarkIrpPending(Irp);
    Kept = Irp;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Later, Device);
    KeSetTimer(&Timer, Due, &Dpc);
    *Status = STATUS_PENDING;
    return TRUE;
}

#define STARTED Wake
#define POWER_HOOK Hook

#include "../../pnp/simple_body.h"
