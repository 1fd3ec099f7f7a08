/*
 * The names of the directories that were searched last, without regard to letter case: so that making 100,000 files
 * in it does not read it 100,000 times. It holds as long as the directory has not changed otherwise than by us, which
 * its time of change tells. Changes within one tick of the host's clock share a time: after one of ours, or a reading that
 * was not later than the last change, the directory is read once more when it has been quiet for a while.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct index {
    bool valid, ambiguous; /* several names differ in case only */
    bool settled;          /* no change can have gone unseen with this time of change */
    dev_t device;
    ino_t inode;
    struct timespec modified;
    char **slot; /* open addressing; names as on the host, NULL = free, "" = was removed */
    size_t room, used;
};

#define INDEXES 8
#define INDEX_QUIET 100000000 /* ns; many times a tick, and what reading 100,000 names takes */
struct indexes {
    int64_t quiet; /* ns; INDEX_QUIET but for tests */
    struct index index[INDEXES];
    unsigned next; /* to be given up */
};

void indexes_clear(struct indexes *all);
/* The index for `dir`, read anew unless it still holds. NULL = no memory, or it cannot be read. */
const struct index *index_of(struct indexes *all, int dir);
/* The host's name for `name`, NULL = there is none. */
const char *index_find(const struct index *x, const char *name);
/* We have made a name in `dir` ourselves, or taken one away. */
void index_made(struct indexes *all, int dir, const char *name);
void index_removed(struct indexes *all, int dir, const char *name);
