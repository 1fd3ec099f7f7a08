/*
 * A bus driver counts the slots in which something is.
 */
#define CHILDREN 2
#define LIST ListSlots
#include "../../pnp/bus.h"

static ULONG ListSlots(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Objects)
{
    Objects[0] = Child[0];
    return 1;
}

#include "../../pnp/simple_body.h"
