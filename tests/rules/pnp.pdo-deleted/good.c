/*
 * A bus driver deletes a child that is removed because it has gone.
 */
#define CHILD_COMPLETED Completed
#define LIST ListOnce
#include "../../pnp/bus.h"

static ULONG Asked;

/* The child is there when the bus starts, and pulled out after that. */
static ULONG ListOnce(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Objects)
{
    Objects[0] = Child[0];
    if (++Asked == 1)
        IoInvalidateDeviceRelations(Extension(Device)->pdo, BusRelations);
    return Asked == 1;
}

static void Completed(PDEVICE_OBJECT Device, UCHAR Minor)
{
    if (Minor != IRP_MN_REMOVE_DEVICE || Asked < 2)
        return;
    Child[0] = NULL;
    IoDeleteDevice(Device);
}

#include "../../pnp/simple_body.h"
