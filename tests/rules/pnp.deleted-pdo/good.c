/*
 * A bus driver takes a child out of its list before it deletes it.
 */
#define LIST ListLate
#include "../../pnp/bus.h"

static ULONG ListLate(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Objects)
{
    if (!Child[0])
        return 0;
    IoDeleteDevice(Child[0]);
    Child[0] = NULL;
    return 0;
}

#include "../../pnp/simple_body.h"
