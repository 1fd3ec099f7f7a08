/* NTSTATUS values by name: those that a driver's start, a refused image or an exception are likely to end with. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

const char *status_name(uint32_t status);              /* NULL = not among them */
bool status_value(const char *name, uint64_t *status); /* by name, letter case not counted */
