/* The names of what is open; see opennames.h. */
#include "supervisor/opennames.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/place.h"

struct open_name {
    struct open_name *parent, *next; /* next: in its bucket */
    size_t users, below;             /* handles of it; names it is the parent of */
    bool listed;                     /* in a bucket */
    char *text;
};

static struct open_name **bucket_of(const struct open_names *all, const struct open_name *parent, const char *text,
                                    size_t length)
{
    uint64_t hash = (uintptr_t)parent >> 4;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
    return &all->bucket[(hash ^ hash >> 29) & (all->room - 1)];
}

static struct open_name **slot_of(const struct open_names *all, const struct open_name *name)
{
    return bucket_of(all, name->parent, name->text, strlen(name->text));
}

static void list(struct open_names *all, struct open_name *name)
{
    struct open_name **slot = slot_of(all, name);

    name->next = *slot;
    *slot = name;
    name->listed = true;
    all->count++;
}

static void unlist(struct open_names *all, struct open_name *name)
{
    struct open_name **slot;

    if (!name->listed)
        return;
    for (slot = slot_of(all, name); *slot != name;)
        slot = &(*slot)->next;
    *slot = name->next;
    name->listed = false;
    all->count--;
}

static bool grow(struct open_names *all)
{
    struct open_names bigger = {.root = all->root, .room = 2 * all->room};

    bigger.bucket = calloc(bigger.room, sizeof(struct open_name *));
    if (!bigger.bucket)
        return false;
    for (size_t i = 0; i < all->room; i++)
        for (struct open_name *name = all->bucket[i], *next; name; name = next) {
            next = name->next;
            list(&bigger, name);
        }
    free(all->bucket);
    *all = bigger;
    return true;
}

bool open_names_make(struct open_names *all)
{
    all->room = 64;
    all->count = 0;
    all->root = calloc(1, sizeof(*all->root));
    all->bucket = calloc(all->room, sizeof(struct open_name *));
    if (all->root && all->bucket)
        return true;
    open_names_clear(all);
    return false;
}

/* All of them have been dropped. */
void open_names_clear(struct open_names *all)
{
    free(all->root);
    free(all->bucket);
    *all = (struct open_names){0};
}

static struct open_name *child_of(struct open_names *all, struct open_name *parent, const char *text, size_t length)
{
    struct open_name *name;

    for (name = *bucket_of(all, parent, text, length); name; name = name->next)
        if (name->parent == parent && !strncmp(name->text, text, length) && !name->text[length])
            return name;
    if (all->count >= all->room && !grow(all))
        return NULL;
    name = calloc(1, sizeof(*name));
    if (!name || !(name->text = strndup(text, length))) {
        free(name);
        return NULL;
    }
    name->parent = parent;
    parent->below++;
    list(all, name);
    return name;
}

/* Away with those nobody needs any more, up to the root. */
static void tidy(struct open_names *all, struct open_name *name)
{
    while (name->parent && !name->users && !name->below) {
        struct open_name *parent = name->parent;
        unlist(all, name);
        free(name->text);
        free(name);
        parent->below--;
        name = parent;
    }
}

struct open_name *open_name_take(struct open_names *all, const char *path)
{
    struct open_name *name = all->root, *next;

    for (; *path; name = next) {
        size_t length = strcspn(path, "/");
        next = child_of(all, name, path, length);
        if (!next) {
            tidy(all, name);
            return NULL;
        }
        path += path[length] ? length + 1 : length;
    }
    name->users++;
    return name;
}

void open_name_drop(struct open_names *all, struct open_name *name)
{
    name->users--;
    tidy(all, name);
}

bool open_name_path(const struct open_name *name, char *path)
{
    size_t at = PLACE_PATH - 1;

    path[at] = 0;
    for (; name->parent; name = name->parent) {
        size_t length = strlen(name->text), slash = path[at] ? 1 : 0;
        if (at < length + slash)
            return false;
        if (slash)
            path[--at] = '/';
        at -= length;
        memcpy(&path[at], name->text, length);
    }
    memmove(path, &path[at], PLACE_PATH - at);
    return true;
}

void open_name_gone(struct open_names *all, struct open_name *name)
{
    unlist(all, name);
}

bool open_name_move(struct open_names *all, struct open_name *name, const char *path)
{
    struct open_name *there = open_name_take(all, path), *parent = name->parent;
    char *text;

    if (there == name) {
        open_name_drop(all, there);
        return true;
    }
    text = there ? strdup(there->text) : NULL;
    if (!text) {
        if (there)
            open_name_drop(all, there);
        return false;
    }
    unlist(all, name);
    unlist(all, there);
    free(name->text);
    name->text = text;
    name->parent = there->parent;
    name->parent->below++;
    list(all, name);
    open_name_drop(all, there);
    parent->below--;
    tidy(all, parent);
    return true;
}

bool open_name_holds(const struct open_name *name)
{
    return name->below > 0;
}
