/*
 * The twin unlocks it when the last handle to the device is closed.
 * OPTIONS: --scenario tests/rules/process.locked-pages/scenario.lua
 */
#define RELEASE_AT_CLEANUP
#include "body.h"
