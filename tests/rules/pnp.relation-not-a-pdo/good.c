/*
 * A bus driver reports the devices that it has created for its children.
 */
#define LIST ListBus
#include "../../pnp/bus.h"

static ULONG ListBus(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Objects)
{
    Objects[0] = Child[0];
    return 1;
}

#include "../../pnp/simple_body.h"
