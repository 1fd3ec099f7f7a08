/*
 * A bus driver reports a device of its own that is attached to another one.
 *
 * EXPECT: pnp.relation-not-a-pdo simple_body.h:[0-9]+ in AddDevice
 */
#define LIST ListBus
#include "../../pnp/bus.h"

static ULONG ListBus(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Objects)
{
    Objects[0] = Device;
    return 1;
}

#include "../../pnp/simple_body.h"
