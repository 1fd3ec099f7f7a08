/*
 * Both children of a bus have the same instance id.
 *
 * EXPECT: pnp.duplicate-pdo bus.h:[0-9]+ in MakeChildren
 */
#define CHILDREN 2
#define INSTANCE_STEP 0
#include "../../pnp/bus.h"
#include "../../pnp/simple_body.h"
