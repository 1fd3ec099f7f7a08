/*
 * The whole life of a device without a bus: every request once, in its place, at PASSIVE_LEVEL, with STATUS_NOT_SUPPORTED to
 * begin with. The driver is given a device of its own because nobody has bound it.
 *
 * OPTIONS: --for 1s
 */
#include "pnp.h"
#include "simple.h"

static UCHAR Seen[64];
static ULONG Count;

static BOOLEAN See(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(PsIsSystemThread(PsGetCurrentThread()));
    STATUS(Irp->IoStatus.Status, STATUS_NOT_SUPPORTED);
    CHECK(Irp->RequestorMode == KernelMode);
    if (Count < sizeof(Seen))
        Seen[Count++] = Minor;
    if (Minor == IRP_MN_START_DEVICE) {
        CHECK(!IoGetCurrentIrpStackLocation(Irp)->Parameters.StartDevice.AllocatedResources);
        CHECK(!IoGetCurrentIrpStackLocation(Irp)->Parameters.StartDevice.AllocatedResourcesTranslated);
    }
    return FALSE;
}

static void Sum(void)
{
    static const UCHAR Want[] = {IRP_MN_FILTER_RESOURCE_REQUIREMENTS,
                                 IRP_MN_START_DEVICE,
                                 0x18 /* IRP_MN_QUERY_LEGACY_BUS_INFORMATION */,
                                 IRP_MN_QUERY_CAPABILITIES,
                                 IRP_MN_QUERY_PNP_DEVICE_STATE,
                                 IRP_MN_QUERY_DEVICE_RELATIONS, /* bus */
                                 IRP_MN_QUERY_STOP_DEVICE,
                                 IRP_MN_STOP_DEVICE,
                                 IRP_MN_FILTER_RESOURCE_REQUIREMENTS,
                                 IRP_MN_START_DEVICE,
                                 IRP_MN_QUERY_DEVICE_RELATIONS, /* bus, again */
                                 IRP_MN_DEVICE_USAGE_NOTIFICATION,
                                 IRP_MN_DEVICE_USAGE_NOTIFICATION,
                                 IRP_MN_QUERY_DEVICE_RELATIONS, /* removal */
                                 IRP_MN_QUERY_REMOVE_DEVICE,
                                 IRP_MN_REMOVE_DEVICE};
    CHECK(Count == sizeof(Want));
    for (ULONG i = 0; i < Count && i < sizeof(Want); i++)
        if (Seen[i] != Want[i])
            TestCheck(FALSE, "the request that comes now", __func__, 1000 + i);
    SUM();
}

#define PNP_HOOK See
#define UNLOADING Sum
#include "simple_body.h"
