/*
 * A driver names its own device where the physical device object is wanted.
 *
 * EXPECT: pnp.not-a-pdo bad.c:@ in .*
 */
#include "../../pnp/simple.h"

static void Invalidate(PDEVICE_OBJECT Device)
{
    IoInvalidateDeviceState(Device); /* @ */
}

#define STARTED Invalidate

#include "../../pnp/simple_body.h"
