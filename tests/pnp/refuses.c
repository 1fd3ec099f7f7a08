/*
 * A driver whose device may not be removed yet stays loaded: its unload routine does not run, and nothing that belongs to a
 * running driver is taken for a leftover. (docs: IRP_MN_QUERY_REMOVE_DEVICE, "Unloading a Driver": a PnP driver is unloaded
 * when it has no devices any more)
 */
#include "pnp.h"
#include "simple.h"

static ULONG Asked, Cancelled, Gone;
static PVOID Kept;

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Minor == IRP_MN_CANCEL_REMOVE_DEVICE)
        Cancelled++;
    if (Minor != IRP_MN_QUERY_REMOVE_DEVICE || ++Asked > 1)
        return FALSE;
    *Status = Complete(Irp, STATUS_UNSUCCESSFUL);
    return TRUE;
}

static void Started(PDEVICE_OBJECT Device)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\??\\Refuses"), Target = RTL_CONSTANT_STRING(L"\\Device\\Null");
    Kept = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'tpeK');
    OK(IoCreateSymbolicLink(&Link, &Target));
}

static void End(PDEVICE_OBJECT Device)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\??\\Refuses");
    ExFreePoolWithTag(Kept, 'tpeK');
    OK(IoDeleteSymbolicLink(&Link));
    Gone++;
}

static void Sum(void)
{
    CHECK(Gone == 1 && Asked == 2 && Cancelled == 1);
    SUM();
}

#define PNP_HOOK Hook
#define STARTED Started
#define REMOVING End
#define UNLOADING Sum
#include "simple_body.h"
