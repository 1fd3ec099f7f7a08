/*
 * A device stays in the stack when it is removed.
 *
 * EXPECT: pnp.not-detached simple_body.h:[0-9]+ in Pnp
 */
#include "../../pnp/simple.h"

#define DO_NOT_DETACH

#include "../../pnp/simple_body.h"
