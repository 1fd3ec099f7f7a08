/*
 * A driver names a device among its removal relations that is there.
 */
#include "../../pnp/simple.h"

/* Which devices go when this one goes? One that is there. */
static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    PDEVICE_RELATIONS Relations;
    PDEVICE_OBJECT Other;
    if (Minor != IRP_MN_QUERY_DEVICE_RELATIONS ||
        IoGetCurrentIrpStackLocation(Irp)->Parameters.QueryDeviceRelations.Type != RemovalRelations)
        return FALSE;
    Other = Extension(Device)->pdo;
    ObReferenceObject(Other);
    Relations = ExAllocatePoolWithTag(PagedPool, sizeof(*Relations), 'leRT');
    Relations->Count = 1;
    Relations->Objects[0] = Other;
    Irp->IoStatus.Information = (ULONG_PTR)Relations;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    *Status = PassOn(Device, Irp);
    return TRUE;
}

#define PNP_HOOK Hook

#include "../../pnp/simple_body.h"
