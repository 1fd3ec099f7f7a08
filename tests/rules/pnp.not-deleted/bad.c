/*
 * A device leaves its stack when it is removed, and is forgotten.
 *
 * EXPECT: pnp.not-deleted simple_body.h:[0-9]+ in Pnp
 */
#include "../../pnp/simple.h"

#define DO_NOT_DELETE

#include "../../pnp/simple_body.h"
