/*
 * A driver keeps a program's buffer locked until it is unloaded. The program ends before that.
 *
 * EXPECT: process.locked-pages body.h:[0-9]+ in (Keep|Control)
 * OPTIONS: --scenario tests/rules/process.locked-pages/scenario.lua
 */
#include "body.h"
