/*
 * The names of a directory in order, as they were when the listing began: what an enumeration walks along.
 */
#pragma once

#include <stddef.h>

struct listing {
    char **name; /* NULL = not begun */
    size_t count;
};

/* Begin anew. enum door_error. */
int listing_read(struct listing *l, int dir);
/* The index of the first name behind this one; "" = 0. */
size_t listing_behind(const struct listing *l, const char *name);
void listing_free(struct listing *l);
