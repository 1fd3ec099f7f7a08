/* What is open in a volume; see handles.h. */
#define _GNU_SOURCE
#include "supervisor/handles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "door.h"
#include "supervisor/place.h"

#define SPARE 64        /* descriptors that the rest of the process, and a request in work, needs */
#define MOST (1u << 20) /* where the host sets no bound worth the name */
#define TRIES 64        /* descriptors looked at before one is given up */

void handles_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* else it stays as it is */
}

static uint64_t limit_now(void)
{
    struct rlimit limit;
    uint64_t most = getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 1024 : limit.rlim_cur;

    most = most > MOST ? MOST : most;
    return most > 2 * SPARE ? most - SPARE : most / 2;
}

/* ---- The ring of those with a descriptor ------------------------------------------------------------------------- */

static uint32_t id_of(const struct handles *all, const struct handle *h)
{
    return (uint32_t)(h - all->all) + 1;
}

static void ring_add(struct handles *all, struct handle *h)
{
    uint32_t id = id_of(all, h);

    h->older = all->newest;
    h->newer = 0;
    if (all->newest)
        all->all[all->newest - 1].newer = id;
    else
        all->oldest = id;
    all->newest = id;
}

static void ring_remove(struct handles *all, struct handle *h)
{
    if (h->older)
        all->all[h->older - 1].newer = h->newer;
    else
        all->oldest = h->newer;
    if (h->newer)
        all->all[h->newer - 1].older = h->older;
    else
        all->newest = h->older;
}

static void give_up(struct handles *all, struct handle *h)
{
    if (h->fd < 0)
        return;
    ring_remove(all, h);
    close(h->fd);
    h->fd = -1;
    all->open--;
}

/* ---- Descriptors given up and had again -------------------------------------------------------------------------- */

/* What a descriptor leads to. */
static bool look(int fd, struct handle *h)
{
    struct statx x;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_BTIME, &x) < 0)
        return false;
    h->directory = S_ISDIR(x.stx_mode);
    h->device = makedev(x.stx_dev_major, x.stx_dev_minor);
    h->inode = x.stx_ino;
    h->born = x.stx_mask & STATX_BTIME ? x.stx_btime.tv_sec * 1000000000ll + x.stx_btime.tv_nsec : 0;
    return true;
}

/* A descriptor for what is at the handle's path, if that is still it; -1 and errno. */
static int open_again(struct handles *all, const struct handle *h)
{
    char path[PLACE_PATH];
    struct handle now;
    int fd;

    if (!open_name_path(h->name, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = place_open(all->root, path, h->directory ? O_RDONLY | O_DIRECTORY : h->writable ? O_RDWR : O_RDONLY, 0);
    if (fd < 0)
        return -1;
    if (look(fd, &now) && now.device == h->device && now.inode == h->inode && now.born == h->born)
        return fd;
    close(fd);
    errno = ENOENT;
    return -1;
}

/* Could it be had again? */
static bool can_give_up(struct handles *all, const struct handle *h)
{
    int fd = open_again(all, h);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Room for one more descriptor, if there is any to be had. */
static void make_room(struct handles *all)
{
    for (unsigned i = 0; all->open >= all->limit && all->oldest && i < TRIES; i++) {
        struct handle *h = &all->all[all->oldest - 1];
        if (can_give_up(all, h)) {
            give_up(all, h);
        } else { /* not asked again soon */
            ring_remove(all, h);
            ring_add(all, h);
        }
    }
}

int handle_ready(struct handles *all, struct handle *h)
{
    if (h->fd >= 0) {
        ring_remove(all, h);
        ring_add(all, h);
        return DOOR_OK;
    }
    make_room(all);
    h->fd = open_again(all, h);
    if (h->fd < 0)
        return place_error(errno);
    all->open++;
    ring_add(all, h);
    return DOOR_OK;
}

/* ---- Handles ----------------------------------------------------------------------------------------------------- */

struct handle *handle_of(struct handles *all, uint64_t id)
{
    return id && id <= all->count && all->all[id - 1].used ? &all->all[id - 1] : NULL;
}

static struct handle *free_handle(struct handles *all)
{
    struct handle *h;

    if (all->free) {
        h = &all->all[all->free - 1];
        all->free = h->older;
        return h;
    }
    if (all->count == all->room) {
        uint32_t room = all->room ? 2 * all->room : 64;
        void *more = room > all->room ? realloc(all->all, room * sizeof(*h)) : NULL;
        if (!more)
            return NULL;
        all->all = more;
        all->room = room;
    }
    return &all->all[all->count++];
}

int handle_new(struct handles *all, int fd, const char *path, bool writable, uint64_t known, uint64_t *id)
{
    struct open_name *name = open_name_take(&all->names, path);
    struct handle new = {.fd = fd, .used = true, .writable = writable, .name = name, .known = known};
    struct handle *h = name && look(fd, &new) ? free_handle(all) : NULL;

    if (!h) {
        if (name)
            open_name_drop(&all->names, name);
        close(fd);
        return DOOR_NO_MEMORY;
    }
    *h = new;
    *id = id_of(all, h);
    all->open++;
    ring_add(all, h);
    make_room(all);
    return DOOR_OK;
}

void handle_free(struct handles *all, struct handle *h)
{
    give_up(all, h);
    open_name_drop(&all->names, h->name);
    listing_free(&h->names);
    *h = (struct handle){.fd = -1, .older = all->free};
    all->free = id_of(all, h);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

bool handles_make(struct handles *all, int root)
{
    *all = (struct handles){.root = root, .limit = limit_now()};
    return open_names_make(&all->names);
}

void handles_clear(struct handles *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->all[i].used)
            handle_free(all, &all->all[i]);
    open_names_clear(&all->names);
    free(all->all);
    *all = (struct handles){0};
}

/* Free ones are taken in the order of their ids. */
static void order_free(struct handles *all)
{
    all->free = 0;
    for (uint32_t i = all->count; i; i--)
        if (!all->all[i - 1].used) {
            all->all[i - 1].older = all->free;
            all->free = i;
        }
}

void handles_mark(struct handles *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        all->all[i].marked = all->all[i].used;
    all->marked = all->count;
    order_free(all);
}

void handles_back(struct handles *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->all[i].used && !all->all[i].marked)
            handle_free(all, &all->all[i]);
    all->count = all->marked;
    order_free(all);
}
