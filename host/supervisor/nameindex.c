/* The names of a directory, see nameindex.h. A hash table with open addressing; a name taken away leaves "" in its
 * place. */
#define _GNU_SOURCE
#include "supervisor/nameindex.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "supervisor/names.h"
#include "supervisor/place.h"

static void index_clear(struct index *x)
{
    for (size_t i = 0; i < x->room; i++)
        if (x->slot[i] && *x->slot[i])
            free(x->slot[i]);
    free(x->slot);
    *x = (struct index){0};
}

/* Where a name is, or where it would go. */
static size_t index_place(const struct index *x, const char *name)
{
    size_t i = names_hash(name) & (x->room - 1);

    while (x->slot[i] && names_compare(x->slot[i], name) != 0)
        i = (i + 1) & (x->room - 1);
    return i;
}

static bool index_grow(struct index *x)
{
    struct index bigger = *x;

    bigger.room = x->room ? 2 * x->room : 64;
    bigger.used = 0;
    bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
    if (!bigger.slot)
        return false;
    for (size_t i = 0; i < x->room; i++)
        if (x->slot[i] && *x->slot[i]) {
            bigger.slot[index_place(&bigger, x->slot[i])] = x->slot[i];
            bigger.used++;
        }
    free(x->slot);
    *x = bigger;
    return true;
}

static bool index_add(struct index *x, const char *name)
{
    size_t i;
    char *copy;

    if (2 * (x->used + 1) > x->room && !index_grow(x))
        return false;
    i = index_place(x, name);
    copy = strdup(name);
    if (!copy)
        return false;
    if (x->slot[i]) { /* of several that differ in case only the first in byte order counts */
        bool first = strcmp(name, x->slot[i]) < 0;
        x->ambiguous |= strcmp(name, x->slot[i]) != 0;
        if (first) {
            free(x->slot[i]);
            x->slot[i] = copy;
        } else {
            free(copy);
        }
        return true;
    }
    x->used++;
    x->slot[i] = copy;
    return true;
}

static int64_t ns_of(struct timespec t)
{
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int64_t now(clockid_t clock)
{
    struct timespec t = {0};

    clock_gettime(clock, &t);
    return ns_of(t);
}

static bool index_fresh(const struct index *x, const struct stat *st, int64_t quiet)
{
    return x->valid && x->inode == st->st_ino && x->device == st->st_dev && ns_of(x->modified) == ns_of(st->st_mtim) &&
           (x->settled || now(CLOCK_REALTIME) - ns_of(x->modified) < quiet);
}

/* The index for `dir`, read anew unless it still holds. */
static bool index_make(struct index *x, int dir, int64_t quiet)
{
    int64_t begun = now(CLOCK_REALTIME_COARSE); /* that files' times are taken from */
    struct stat st;
    struct dirent *entry;
    DIR *stream;
    int copy;
    bool good = true;

    if (fstat(dir, &st) < 0)
        return false;
    if (index_fresh(x, &st, quiet))
        return true;
    index_clear(x);
    copy = place_open(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    stream = copy >= 0 ? fdopendir(copy) : NULL;
    while (good && stream && (entry = readdir(stream)))
        if (names_valid(entry->d_name))
            good = index_add(x, entry->d_name);
    if (stream)
        closedir(stream);
    if (!good || !stream) {
        index_clear(x);
        return false;
    }
    if (!x->room && !index_grow(x))
        return false;
    x->valid = true;
    x->device = st.st_dev;
    x->inode = st.st_ino;
    x->modified = st.st_mtim;
    x->settled = begun > ns_of(st.st_mtim);
    return true;
}

static struct index *index_for(struct indexes *all, const struct stat *st)
{
    for (unsigned i = 0; i < INDEXES; i++)
        if (all->index[i].valid && all->index[i].inode == st->st_ino && all->index[i].device == st->st_dev)
            return &all->index[i];
    return NULL;
}

/* The index of a directory that we have just changed ourselves. Another may have done so in the same moment. */
static struct index *index_changed(struct indexes *all, int dir)
{
    struct stat st;
    struct index *x = fstat(dir, &st) == 0 ? index_for(all, &st) : NULL;

    if (x) {
        x->modified = st.st_mtim;
        x->settled = false;
    }
    return x;
}

void index_made(struct indexes *all, int dir, const char *name)
{
    struct index *x = index_changed(all, dir);

    if (x && !index_add(x, name))
        index_clear(x);
}

void index_removed(struct indexes *all, int dir, const char *name)
{
    static char gone[1];
    struct index *x = index_changed(all, dir);
    size_t i;

    if (!x)
        return;
    i = index_place(x, name);
    if (x->ambiguous || !x->slot[i] || strcmp(x->slot[i], name) != 0) {
        index_clear(x);
        return;
    }
    free(x->slot[i]);
    x->slot[i] = gone;
}

/* Where a name is on the host, NULL = nowhere. */
const char *index_find(const struct index *x, const char *name)
{
    return x->slot[index_place(x, name)];
}

const struct index *index_of(struct indexes *all, int dir)
{
    struct stat st;
    struct index *x = fstat(dir, &st) == 0 ? index_for(all, &st) : NULL;

    if (!x)
        x = &all->index[all->next++ % INDEXES];
    return index_make(x, dir, all->quiet) ? x : NULL;
}

void indexes_clear(struct indexes *all)
{
    for (unsigned i = 0; i < INDEXES; i++)
        index_clear(&all->index[i]);
}
