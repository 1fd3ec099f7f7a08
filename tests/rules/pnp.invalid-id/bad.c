/*
 * A device id has a comma in it.
 *
 * EXPECT: pnp.invalid-id bus.h:[0-9]+ in MakeChildren
 */
#define DEVICE_ID L"Toy\\Child,1"
#include "../../pnp/bus.h"
#include "../../pnp/simple_body.h"
