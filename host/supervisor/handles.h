/*
 * What the machine has open in a volume: any number of files and directories, of which as many have a descriptor as the process may
 * have. Those used longest ago give theirs up and are opened again when they are used: by their path beneath the volume's root, and
 * only as the file they were. What could not be opened again (its name is gone, its permissions are) keeps its descriptor.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/listing.h"
#include "supervisor/opennames.h"

struct handle {
    int fd; /* -1 = it has none at present */
    bool used, writable, directory;
    bool marked; /* was there at the mark */
    dev_t device;
    ino_t inode;
    int64_t born;   /* ns, where the file system keeps it: tells files apart that had one inode after the other */
    uint64_t known; /* its id in known.h */
    struct open_name *name;
    struct listing names;  /* made by the first LIST */
    uint32_t older, newer; /* used: ring of those with a descriptor; else older is the next free one. Ids, 0 = none */
};

struct handles {
    int root;
    struct handle *all; /* id - 1 is the index */
    uint32_t count, room, marked;
    uint32_t free, oldest, newest;
    uint64_t open, limit; /* descriptors */
    struct open_names names;
};

/* As many descriptors as this process may have; before the first volume is opened. */
void handles_raise_limit(void);

bool handles_make(struct handles *all, int root);
void handles_clear(struct handles *all);
/* NULL = there is none of this id. It may have no descriptor: */
struct handle *handle_of(struct handles *all, uint64_t id);
/* It has one now. enum door_error. */
int handle_ready(struct handles *all, struct handle *h);
/* fd is the handle's from now on, whatever comes of it. enum door_error. */
int handle_new(struct handles *all, int fd, const char *path, bool writable, uint64_t known, uint64_t *id);
void handle_free(struct handles *all, struct handle *h);

/* The ids that are in use; and back to that: those since are freed, the next ones are numbered as they were then. */
void handles_mark(struct handles *all);
void handles_back(struct handles *all);
