/*
 * A bus driver deletes a child that is removed and still there.
 *
 * EXPECT: pnp.pdo-deleted bad.c:@ in Completed
 */
#define CHILD_COMPLETED Completed
#include "../../pnp/bus.h"

static void Completed(PDEVICE_OBJECT Device, UCHAR Minor)
{
    if (Minor != IRP_MN_REMOVE_DEVICE)
        return;
    Child[0] = NULL;
    IoDeleteDevice(Device); /* @ */
}

#include "../../pnp/simple_body.h"
