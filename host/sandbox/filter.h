/*
 * The filter on system calls, for sandbox.c.
 */
#pragma once

#include <linux/filter.h>

#include "sandbox/sandbox.h"

#define FILTER_LIMIT 256

/* Returns the number of instructions. */
unsigned filter_build(const struct sandbox_rules *rules, struct sock_filter *program);
