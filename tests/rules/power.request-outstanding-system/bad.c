/*
 * A driver that puts off the system's power request deletes its device before it passes the request on.
 *
 * EXPECT: power.request-outstanding bad.c:@ in Work
 * OPTIONS: --scenario tests/rules/power.request-outstanding-system/scenario.lua
 */
#include "../../pnp/simple.h"

static PIO_WORKITEM Item;
static PIRP Kept;

static VOID NTAPI Work(PDEVICE_OBJECT Device, PVOID Context)
{
    PDEVICE_OBJECT Lower = Extension(Device)->lower;

    IoDetachDevice(Lower);
    IoDeleteDevice(Device); /* @ */
    IoSkipCurrentIrpStackLocation(Kept);
    PoCallDriver(Lower, Kept);
    IoFreeWorkItem(Item);
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
