/* Directories of our own among the host's temporary files. */
#pragma once

#include <stddef.h>

/* $TMPDIR, or /tmp. */
const char *temporary_base(void);
/* A new directory there, "irqlab" and what of its name; its path is in path. 0, or an errno. */
int temporary_directory(char *path, size_t bytes, const char *what);
