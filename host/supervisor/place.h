/*
 * Where a path of the machine leads on the host. A component is looked up exactly first, then without regard to letter
 * case; of several that differ only in case the first in byte order is the one that exists. What Windows could not name
 * (its forbidden characters, broken UTF-8) and what is neither file nor directory does not exist. Every opening goes
 * through openat2 below the volume's root with symbolic links refused, so a directory that changes meanwhile cannot lead
 * outside.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "supervisor/nameindex.h"

#define PLACE_PATH 1024

/* A path of the machine, resolved as far as it exists. */
struct place {
    int dir;                 /* the directory of the last component, open; -1: of the root */
    char path[PLACE_PATH];   /* host names */
    char parent[PLACE_PATH]; /* the same without the last component */
    const char *name;        /* the last component, in path */
    bool exists;
    struct stat st;
};

/* enum door_error for an errno. */
int place_error(int code);

/* openat2 below a directory, no symbolic link followed anywhere. A descriptor or -1. */
int place_open(int dir, const char *path, int flags, mode_t mode);
/* The directory in which the last component of a host path lies, and that component. */
int place_open_parent(int root, const char *path, const char **name);

/* Is there something of this name that the machine sees? */
bool place_shown(int dir, const char *name, struct stat *st);

/* The name of the machine's in a directory: the name on the host (256 bytes of room) and what is there. */
bool place_find(struct indexes *all, int dir, const char *name, char *found, struct stat *st);
/* Is what was opened something that the machine sees: a file or a directory? */
bool place_shows(int fd);
/* Does the name still lead to this file? */
bool place_is(int dir, const char *name, const struct stat *st);

/* One component more; PLACE_PATH bytes of room. enum door_error. */
int place_append(char *path, const char *component);

/* Open what is there, or is to be made. A descriptor or -1. */
int place_open_found(int root, const struct place *place, int flags, mode_t mode);

/* enum door_error: a path that does not exist is no error as long as its parent does. Then place_done. */
int place_resolve(int root, struct indexes *index, const char *path, struct place *place);
void place_done(struct place *place);
