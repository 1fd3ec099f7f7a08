/*
 * A volume: a directory of the host, as the machine sees it. Nothing outside it can be reached, whatever the path or
 * the directory holds; symbolic links and special files do not exist for the machine.
 */
#pragma once

#include <stdint.h>
#include "door.h"

struct volume;

struct volume *volume_open(const char *directory);
void volume_close(struct volume *volume);

/* Carry out a request. transfer: bytes read or to be written, at most `bytes` of it. Returns enum door_error. */
int volume_serve(struct volume *volume, struct door_file *request, void *transfer, uint64_t bytes);

/* All bytes of a file, to be freed by the caller. */
int volume_read_all(struct volume *volume, const char *path, void **bytes, uint64_t *size);

/* Remove a directory and all in it. */
void volume_remove_tree(const char *directory);
