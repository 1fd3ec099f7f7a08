/* A filter or function driver that says its name when it is added to a device: tests/pnp/classfilters loads it under several. */
#include "../simple.h"
#define ADDED(Device) DbgPrint("%wZ\n", &Driver->DriverName)
#include "../simple_body.h"
