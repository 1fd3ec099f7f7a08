/*
 * A volume: a directory of the host, as the machine sees it. Nothing outside it can be reached, whatever the path or
 * the directory holds; symbolic links and special files do not exist for the machine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "door.h"

struct volume;

struct volume *volume_open(const char *directory);
void volume_close(struct volume *volume);

/* Carry out a request. transfer: bytes read or to be written, at most `bytes` of it. Returns enum door_error. */
int volume_serve(struct volume *volume, struct door_file *request, void *transfer, uint64_t bytes);

/* Remember the volume as it is now, and go back to that: handles are closed, ids forgotten. False: files were changed, or
 * handles closed that were open then, so that it cannot be had again. */
void volume_mark(struct volume *volume);
bool volume_back(struct volume *volume);

/* All bytes of a file, to be freed by the caller. */
int volume_read_all(struct volume *volume, const char *path, void **bytes, uint64_t *size);

/* Copy what a machine would see of `from` into the directory `to`. An errno, 0 = done. */
int volume_copy(const char *from, const char *to);

/* Remove a directory and all in it. */
void volume_remove_tree(const char *directory);
