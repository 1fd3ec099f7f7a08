/*
 * Names of functions and variables from the PDB of an image that a Microsoft-compatible linker made: from its public
 * symbols, its globals, and each module's own list (where static functions and variables are). Lines are left to
 * llvm-symbolizer.
 *
 * A PDB belongs to an image when both carry the same GUID; another one is ignored, whatever its name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "report/symtab.h"

/*
 * Find the PDB of the image at path: in `directory` (may be NULL), beside the image, where the linker wrote it. Adds
 * its names to the table. Returns true when one was found, with its path in `found`.
 */
bool pdb_read(struct symtab *t, const char *path, const char *directory, char *found, size_t room);
