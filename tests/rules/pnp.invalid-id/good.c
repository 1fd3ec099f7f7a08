/*
 * A device id without a comma.
 */
#define DEVICE_ID L"Toy\\Child.1"
#include "../../pnp/bus.h"
#include "../../pnp/simple_body.h"
