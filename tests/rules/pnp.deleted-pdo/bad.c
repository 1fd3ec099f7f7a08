/*
 * A bus driver keeps a child in its list that it has deleted.
 *
 * EXPECT: pnp.deleted-pdo bus.h:[0-9]+ in MakeChildren
 */
#define LIST ListLate
#include "../../pnp/bus.h"

static ULONG ListLate(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Objects)
{
    Objects[0] = Child[0];
    if (!Child[0])
        return 0;
    ObReferenceObject(Child[0]); /* the memory stays, the device does not */
    IoDeleteDevice(Child[0]);
    Child[0] = NULL;
    return 1;
}

#include "../../pnp/simple_body.h"
