/*
 * The twin passes the request on, and leaves the device to the Plug and Play manager.
 * OPTIONS: --scenario tests/rules/power.request-outstanding-system/scenario.lua
 */
#include "../../pnp/simple.h"

static PIO_WORKITEM Item;
static PIRP Kept;

static VOID NTAPI Work(PDEVICE_OBJECT Device, PVOID Context)
{
    IoFreeWorkItem(Item);
    IoSkipCurrentIrpStackLocation(Kept);
    PoCallDriver(Extension(Device)->lower, Kept);
}

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor != IRP_MN_SET_POWER)
        return FALSE;
    IoMarkIrpPending(Irp);
    Kept = Irp;
    Item = IoAllocateWorkItem(Device);
    IoQueueWorkItem(Item, Work, DelayedWorkQueue, NULL);
    *Status = STATUS_PENDING;
    return TRUE;
}

#define POWER_HOOK Hook

#include "../../pnp/simple_body.h"
