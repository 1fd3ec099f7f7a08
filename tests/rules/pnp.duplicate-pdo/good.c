/*
 * The children of a bus differ in their instance ids.
 */
#define CHILDREN 2
#include "../../pnp/bus.h"
#include "../../pnp/simple_body.h"
