/*
 * Which clang builds a driver, and the two things about one that depend on its version: what it makes of __try, and how
 * it finds headers whose names are written in another case than on disk.
 */
#pragma once

#include <stdbool.h>

/* The first version that guards memory accesses inside __try, not only calls, and knows #pragma alloc_text. */
#define CLANG_GUARDS_ACCESSES 16

/* The newest versioned clang of the PATH (Debian's clang-19) that guards accesses; otherwise "clang". Static storage. */
const char *clang_choose(void);

/* The major version of a clang by its own word; 0 when it can't be asked. */
int clang_version(const char *program);

/*
 * A description of folders, to be given to clang with -ivfsoverlay, in which names are found in any case, as on Windows.
 * It is a file in memory that a child process inherits. Folders that can't be read are left out.
 */
struct overlay;
struct overlay *overlay_new(void);
void overlay_add(struct overlay *o, const char *folder, int depth); /* with its folders, so many levels down */
const char *overlay_path(struct overlay *o);                        /* complete now; NULL: it could not be made */
