/*
 * A removed device leaves its stack and goes.
 */
#include "../../pnp/simple.h"

#include "../../pnp/simple_body.h"
