/*
 * AddDevice forgets the flag that keeps others from opening its device.
 *
 * EXPECT: pnp.still-initializing simple_body.h:[0-9]+ in AddDevice
 */
#include "../../pnp/simple.h"

#define STILL_INITIALIZING

#include "../../pnp/simple_body.h"
