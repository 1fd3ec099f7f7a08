/*
 * The machine's disk: an image file of the host, sector by sector. Whose file it is decides who asked for it: only the command
 * line names it, the worker gives sector numbers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

bool disk_open(struct supervisor *s, const char *path, bool read_only, bool scratch, char why[256])
{
    if (!path)
        return true;
    s->disk_fd = open_image(path, read_only || scratch, &s->channel->machine.disk_sectors, why);
    if (s->disk_fd < 0 || !scratch)
        return s->disk_fd >= 0;
    s->scratch.fd = memfd_create("irqlab-disk", MFD_CLOEXEC);
    s->scratch.words = (s->channel->machine.disk_sectors + 63) / 64;
    s->scratch.there = calloc(s->scratch.words, sizeof(*s->scratch.there));
    if (s->scratch.fd < 0 || !s->scratch.there)
        snprintf(why, 256, "no memory for what is written to the disk");
    return s->scratch.fd >= 0 && s->scratch.there;
}

void disk_close(struct supervisor *s)
{
    if (s->disk_fd >= 0)
        close(s->disk_fd);
    if (s->scratch.fd >= 0)
        close(s->scratch.fd);
    free(s->scratch.there);
}

void disk_mark(struct supervisor *s)
{
    s->scratch.before = s->scratch.since;
    s->scratch.since = false;
}

bool disk_back(struct supervisor *s)
{
    if (!s->scratch.since)
        return true;
    if (s->scratch.fd < 0 || s->scratch.before || ftruncate(s->scratch.fd, 0) < 0)
        return false;
    memset(s->scratch.there, 0, s->scratch.words * sizeof(*s->scratch.there));
    s->scratch.since = false;
    return true;
}

/* Where a sector is read from and written to. */
static int place_of(struct supervisor *s, uint64_t sector, bool write)
{
    uint64_t *word = s->scratch.fd >= 0 && sector / 64 < s->scratch.words ? &s->scratch.there[sector / 64] : NULL;

    s->scratch.since |= write;
    if (word && write)
        *word |= 1ull << sector % 64;
    return word && *word >> sector % 64 & 1 ? s->scratch.fd : s->disk_fd;
}

static bool move_sector(struct supervisor *s, uint64_t sector, bool write)
{
    uint8_t copy[CHANNEL_SECTOR];
    off_t at = (off_t)(sector * CHANNEL_SECTOR);
    int fd = place_of(s, sector, write);
    ssize_t n;

    if (write) {
        memcpy(copy, s->channel->transfer, sizeof(copy));
        return pwrite(fd, copy, sizeof(copy), at) == sizeof(copy);
    }
    n = pread(fd, copy, sizeof(copy), at);
    if (n == sizeof(copy))
        memcpy(s->channel->transfer, copy, sizeof(copy));
    return n == sizeof(copy);
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
