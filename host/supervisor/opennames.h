/*
 * The names of what is open in a volume, as a tree: a directory that moves takes all that is open below along in one step, and tells
 * whether anything is. A name lives as long as something of that name, or below it, is open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct open_name;

struct open_names {
    struct open_name *root;
    struct open_name **bucket; /* all but the root, by parent and name */
    size_t room, count;
};

bool open_names_make(struct open_names *all);
void open_names_clear(struct open_names *all);
/* The name of this path, once more; NULL = no memory. */
struct open_name *open_name_take(struct open_names *all, const char *path);
void open_name_drop(struct open_names *all, struct open_name *name);
/* Its path; PLACE_PATH bytes of room. False: it has become too long. */
bool open_name_path(const struct open_name *name, char *path);
/* What had the name is gone: whoever opens the same path now gets another. */
void open_name_gone(struct open_names *all, struct open_name *name);
/* What is at `path` from now on is this. False: no memory, all is as before. */
bool open_name_move(struct open_names *all, struct open_name *name, const char *path);
/* Is anything open below? */
bool open_name_holds(const struct open_name *name);
