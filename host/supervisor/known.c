/* What the machine knows of a file beyond its bytes; see known.h. */
#include "supervisor/known.h"

#include <stdlib.h>
#include <sys/types.h>

#define KNOWN_TIME 132223104000000000ull /* of files that were there before */
#define KNOWN_ARCHIVE 0x20u              /* FILE_ATTRIBUTE_ARCHIVE, as the machine has it */
#define KNOWN_NORMAL 0x80u               /* none */

struct known_file {
    dev_t device;
    ino_t inode;
    bool gone, directory;
    uint32_t attributes;
    size_t next; /* in its chain: index + 1, 0 = the last */
    uint64_t created, accessed, written, changed;
};

static size_t *chain_of(struct known *k, ino_t inode)
{
    return &k->chain[(inode * 0x9e3779b97f4a7c15ull) >> 48];
}

static struct known_file *known_of(struct known *k, const struct stat *st)
{
    size_t *chain = chain_of(k, st->st_ino);

    for (size_t i = *chain; i; i = k->file[i - 1].next)
        if (!k->file[i - 1].gone && k->file[i - 1].inode == st->st_ino && k->file[i - 1].device == st->st_dev)
            return &k->file[i - 1];
    if (k->count == k->room) {
        size_t room = k->room ? 2 * k->room : 64;
        void *more = realloc(k->file, room * sizeof(*k->file));
        if (!more)
            return NULL;
        k->file = more;
        k->room = room;
    }
    k->file[k->count] = (struct known_file){.device = st->st_dev,
                                            .inode = st->st_ino,
                                            .directory = S_ISDIR(st->st_mode),
                                            .attributes = S_ISDIR(st->st_mode) ? 0 : KNOWN_ARCHIVE,
                                            .next = *chain,
                                            .created = KNOWN_TIME,
                                            .accessed = KNOWN_TIME,
                                            .written = KNOWN_TIME,
                                            .changed = KNOWN_TIME};
    *chain = ++k->count;
    return &k->file[k->count - 1];
}

uint64_t known_id(struct known *k, const struct stat *st)
{
    struct known_file *known = known_of(k, st);

    return known ? (uint64_t)(known - k->file) + 1 : 0;
}

static struct known_file *by_id(struct known *k, uint64_t id)
{
    return id && id <= k->count ? &k->file[id - 1] : NULL;
}

void known_stat(struct known *k, uint64_t id, const struct stat *st, struct door_stat *out)
{
    struct known_file *known = by_id(k, id);
    bool directory = S_ISDIR(st->st_mode);

    *out = (struct door_stat){
        .size = directory ? 0 : (uint64_t)st->st_size,
        .allocated = directory ? 0 : ((uint64_t)st->st_size + 4095) & ~4095ull,
        .directory = directory,
        .read_only = !(st->st_mode & S_IWUSR),
        .links = directory ? 1 : (uint32_t)st->st_nlink,
    };
    if (known) {
        out->created = known->created;
        out->accessed = known->accessed;
        out->written = known->written;
        out->changed = known->changed;
        out->attributes = known->attributes;
        out->id = id;
    }
}

void known_written(struct known *k, uint64_t id, uint64_t time, bool created)
{
    struct known_file *known = by_id(k, id);

    if (!known || !time)
        return;
    known->accessed = known->written = known->changed = time;
    known->attributes |= known->directory ? 0 : KNOWN_ARCHIVE;
    if (created)
        known->created = time;
}

void known_gone(struct known *k, const struct stat *st)
{
    struct known_file *known = known_of(k, st);

    if (known && (S_ISDIR(st->st_mode) || st->st_nlink <= 1)) /* as it was before: the last name */
        known->gone = true;
}

bool known_set(struct known *k, uint64_t id, const struct door_stat *to)
{
    struct known_file *known = by_id(k, id);

    if (!known)
        return false;
    known->created = to->created ? to->created : known->created;
    known->accessed = to->accessed ? to->accessed : known->accessed;
    known->written = to->written ? to->written : known->written;
    known->changed = to->changed ? to->changed : known->changed;
    if (to->attributes)
        known->attributes = to->attributes & ~KNOWN_NORMAL;
    return true;
}

void known_forget(struct known *k, size_t count)
{
    while (k->count > count) { /* each is the first of its chain when its turn comes */
        struct known_file *last = &k->file[--k->count];
        *chain_of(k, last->inode) = last->next;
    }
}
