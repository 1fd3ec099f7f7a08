/*
 * The machine's disk: an image file of the host, sector by sector. Whose file it is decides who asked for it: only the command
 * line names it, the worker gives sector numbers.
 *
 * From disk_mark on nothing is written to the file: what the machine writes is kept here, and forgotten by disk_back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/part.h"

/* A descriptor, or -1 and the reason. */
static int open_image(const char *path, bool read_only, uint64_t *sectors, char why[256])
{
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(why, 256, "cannot open the disk %.180s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size < CHANNEL_SECTOR || st.st_size % CHANNEL_SECTOR) {
        snprintf(why, 256, "the disk %.160s is not a file of whole sectors of 512 bytes", path);
    } else {
        *sectors = (uint64_t)st.st_size / CHANNEL_SECTOR;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

bool supervisor_disk(const char *path, bool read_only, char why[256])
{
    uint64_t sectors;
    int fd = open_image(path, read_only, &sectors, why);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool disk_open(struct supervisor *s, const char *path, bool read_only, char why[256])
{
    if (!path)
        return true;
    s->disk_fd = open_image(path, read_only, &s->channel->machine.disk_sectors, why);
    return s->disk_fd >= 0;
}

/* ---- The way back ------------------------------------------------------------------------------------------------- */

static struct overlay_entry *find(struct disk_overlay *o, uint64_t sector)
{
    uint32_t at = (uint32_t)(sector * 0x9e3779b97f4a7c15ull >> 32);

    for (; o->room && o->entry[at &= o->room - 1].used; at++)
        if (o->entry[at].sector == sector)
            break;
    return o->room ? &o->entry[at] : NULL;
}

static bool grow(struct disk_overlay *o)
{
    struct disk_overlay more = {.room = o->room ? 2 * o->room : 64, .count = o->count};

    more.entry = calloc(more.room, sizeof(*more.entry));
    if (!more.entry)
        return false;
    for (uint32_t i = 0; i < o->room; i++)
        if (o->entry[i].used)
            *find(&more, o->entry[i].sector) = o->entry[i];
    free(o->entry);
    *o = more;
    return true;
}

static bool keep(struct disk_overlay *o, uint64_t sector, const void *bytes)
{
    struct overlay_entry *e;

    if (4 * (o->count + 1) > 3 * o->room && !grow(o))
        return false;
    e = find(o, sector);
    o->count += !e->used;
    e->used = true;
    e->sector = sector;
    memcpy(e->bytes, bytes, CHANNEL_SECTOR);
    return true;
}

void disk_mark(struct supervisor *s)
{
    s->disk_marked = true;
}

void disk_back(struct supervisor *s)
{
    free(s->overlay.entry);
    s->overlay = (struct disk_overlay){0};
}

/* ---- Sectors ------------------------------------------------------------------------------------------------------ */

static bool move_sector(struct supervisor *s, uint64_t sector, bool write)
{
    uint8_t copy[CHANNEL_SECTOR];
    off_t at = (off_t)(sector * CHANNEL_SECTOR);
    const struct overlay_entry *e = find(&s->overlay, sector);

    if (write) {
        memcpy(copy, s->channel->transfer, sizeof(copy));
        return s->disk_marked ? keep(&s->overlay, sector, copy)
                              : pwrite(s->disk_fd, copy, sizeof(copy), at) == sizeof(copy);
    }
    if (e && e->used)
        memcpy(copy, e->bytes, sizeof(copy));
    else if (pread(s->disk_fd, copy, sizeof(copy), at) != sizeof(copy))
        return false;
    memcpy(s->channel->transfer, copy, sizeof(copy));
    return true;
}

void disk_serve(struct supervisor *s)
{
    uint32_t what = s->channel->disk;
    uint64_t sector = s->channel->sector;
    struct stat st;
    bool good = false;

    if (s->disk_fd >= 0 && what == CHANNEL_DISK_FLUSH)
        good = true; /* written is written; the host keeps it as any file */
    else if (s->disk_fd >= 0 && fstat(s->disk_fd, &st) == 0 && sector < (uint64_t)st.st_size / CHANNEL_SECTOR)
        good = move_sector(s, sector, what == CHANNEL_DISK_WRITE);
    s->channel->error = good ? DOOR_OK : DOOR_IO;
}
