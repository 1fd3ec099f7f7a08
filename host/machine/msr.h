/*
 * Model-specific, control and debug registers, and what cpuid says: constants of the machine, the same on every host.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "machine/trap.h"

/* Virtual time stamp counter, 3 GHz. Each look takes one tick (100 ns). */
uint64_t msr_time_stamp(void);

bool msr_read(const struct trap *t, uint32_t number, uint64_t *value); /* false: no such register */

/* Control register 0, 2, 3, 4; false: none of that number. */
bool msr_control(unsigned number, uint64_t *value);

void msr_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4], const struct trap *t);
