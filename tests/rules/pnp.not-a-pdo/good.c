/*
 * A driver names the physical device object.
 */
#include "../../pnp/simple.h"

static void Invalidate(PDEVICE_OBJECT Device)
{
    IoInvalidateDeviceState(Extension(Device)->pdo);
}

#define STARTED Invalidate

#include "../../pnp/simple_body.h"
