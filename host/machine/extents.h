/* What is mapped in the machine, as a list; see extents.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EXTENTS_LIMIT 66000

struct extent {
    uint64_t va, end, pa; /* va is never 0 */
    uint32_t protection;  /* enum door_protection */
};

void extents_map(uint64_t va, uint64_t pa, uint64_t bytes, uint32_t protection);
void extents_unmap(uint64_t va, uint64_t bytes);
void extents_protect(uint64_t va, uint64_t bytes, uint32_t protection);

const struct extent *extents_list(uint32_t *count); /* NULL: there were too many to be kept */
void extents_set_list(const struct extent *extents, uint32_t count);

/* Call `change` for each range in which the present list and `to` differ, ascending. NULL: not mapped. False when it
 * returned false. */
typedef bool extents_change_fn(const struct extent *now, const struct extent *then);
bool extents_difference(const struct extent *to, uint32_t count, extents_change_fn *change);
