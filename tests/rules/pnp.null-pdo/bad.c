/*
 * A bus driver counts a slot in which nothing is.
 *
 * EXPECT: pnp.null-pdo simple_body.h:[0-9]+ in Pnp
 */
#define CHILDREN 2
#define LIST ListSlots
#include "../../pnp/bus.h"

static ULONG ListSlots(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Objects)
{
    Objects[0] = Child[0];
    Objects[1] = NULL;
    return 2;
}

#include "../../pnp/simple_body.h"
