/*
 * Data races that are meant: --benign NAME,... names functions, variables and places of drivers of which no race is
 * reported (a counter for statistics, a flag that is only a hint).
 *
 *     stuck.sys!Count    a function or variable, by the driver's symbols
 *     Count              the same, in the first driver that has it
 *     stuck.sys+0x1234   the instruction or byte there, as reports name it
 */
#pragma once

#include "cli/given.h"

/* g->benign into g->machine, after the drivers were read. False: a line was written to stderr. */
bool benign_read(struct given *g, const char *command);
