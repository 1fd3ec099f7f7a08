/*
 * What somebody may have meant by a misspelt name: edit distance (insert, delete, replace, swap neighbours), letter
 * case not counted. A name is near when it differs in about a quarter of its letters at most.
 */
#pragma once

#include <stddef.h>

#define NEAR_NAMES 3

struct near {
    const char *wanted;
    unsigned limit;
    unsigned distance[NEAR_NAMES];
    unsigned count;
    const char *best[NEAR_NAMES]; /* nearest first; equally near ones in the order offered */
};

void near_begin(struct near *n, const char *wanted);
void near_offer(struct near *n, const char *name); /* keeps the pointer */

/* Edit distance; anything above limit is limit + 1. */
unsigned near_distance(const char *a, const char *b, unsigned limit);
