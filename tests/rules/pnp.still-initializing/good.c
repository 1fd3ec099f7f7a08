/*
 * AddDevice clears DO_DEVICE_INITIALIZING.
 */
#include "../../pnp/simple.h"

#include "../../pnp/simple_body.h"
