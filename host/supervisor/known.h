/*
 * What the machine knows of a file beyond its bytes: an id, times and attributes. Nothing of the host is seen: times are
 * virtual (a constant for what was there before), ids are given in order of first sight.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "door.h"

struct known_file;

#define KNOWN_CHAINS 65536

struct known {
    struct known_file *file; /* id - 1 is the index */
    size_t count, room;
    size_t chain[KNOWN_CHAINS]; /* of file, by inode: index + 1 */
};

/* Of what is at a name: its id, 0 = no memory. */
uint64_t known_id(struct known *k, const struct stat *st);
/* The following go by the id, which an open file keeps though its name is gone and its inode another's. */
/* What the machine is told of a file. */
void known_stat(struct known *k, uint64_t id, const struct stat *st, struct door_stat *out);
/* It was written, or made, at this time of the machine; 0 = its times stay. */
void known_written(struct known *k, uint64_t id, uint64_t time, bool created);
/* What is not 0 of times and attributes is set. False: no memory. */
bool known_set(struct known *k, uint64_t id, const struct door_stat *to);
/* The file has no name any more; its inode may come back as another. */
void known_gone(struct known *k, const struct stat *st);
/* Back to a count there was before. */
void known_forget(struct known *k, size_t count);
