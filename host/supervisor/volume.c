/*
 * Volumes: requests of the machine carried out on a host directory. See volume.h; place.h for how names are found, known.h
 * for what files say of themselves. Sizes of the volume are constants.
 */
#define _GNU_SOURCE
#include "supervisor/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/known.h"
#include "supervisor/listing.h"
#include "supervisor/nameindex.h"
#include "supervisor/names.h"
#include "supervisor/place.h"

#define VOLUME_HANDLES 512 /* well below the usual limit of 1024 descriptors */
#define VOLUME_BYTES (64ull << 30)
#define VOLUME_FREE (32ull << 30)
#define VOLUME_READ_ALL (1ull << 30) /* largest image file */

struct handle {
    int fd; /* -1 = free */
    bool writable, directory;
    char *path;           /* as it is on the host */
    struct listing names; /* made by the first LIST */
};

struct volume {
    int root;
    struct handle handle[VOLUME_HANDLES];
    struct known known;
    struct indexes index;
    bool changed; /* since the mark, in a way that is not undone */
    size_t marked_count;
    uint64_t marked[VOLUME_HANDLES / 64]; /* handles that were open */
};

/* ---- Handles ------------------------------------------------------------------------------------------------- */

static struct handle *handle_of(struct volume *v, uint64_t id)
{
    return id && id <= VOLUME_HANDLES && v->handle[id - 1].fd >= 0 ? &v->handle[id - 1] : NULL;
}

static void handle_free(struct handle *h)
{
    close(h->fd);
    free(h->path);
    listing_free(&h->names);
    *h = (struct handle){.fd = -1};
}

static int handle_new(struct volume *v, int fd, const struct place *place, uint32_t flags, struct door_file *request)
{
    struct stat st;

    for (uint32_t i = 0; i < VOLUME_HANDLES; i++) {
        struct handle *h = &v->handle[i];
        if (h->fd >= 0)
            continue;
        if (fstat(fd, &st) < 0 || !(h->path = strdup(place->path)))
            break;
        h->fd = fd;
        h->directory = S_ISDIR(st.st_mode);
        h->writable = flags & DOOR_FILE_WRITABLE;
        request->handle = i + 1;
        known_stat(&v->known, &st, &request->stat);
        return DOOR_OK;
    }
    close(fd);
    return DOOR_NO_MEMORY;
}

/* ---- Requests ------------------------------------------------------------------------------------------------ */

static int open_new(struct volume *v, struct door_file *request, const struct place *place)
{
    uint64_t now = request->stat.written;
    int parent = place_open(v->root, place->parent, O_RDONLY | O_DIRECTORY, 0);
    int fd = -1, error = DOOR_OK;

    if (parent < 0)
        return place_error(errno);
    if (!(request->flags & DOOR_FILE_DIRECTORY))
        fd = place_open(parent, place->name, O_RDWR | O_CREAT | O_EXCL, 0666);
    else if (mkdirat(parent, place->name, 0777) == 0)
        fd = place_open(parent, place->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        error = errno == EEXIST ? DOOR_DENIED : place_error(errno); /* present, but not shown: a link, say */
    else
        index_made(&v->index, parent, place->name);
    close(parent);
    if (error)
        return error;
    known_written(&v->known, fd, now, true);
    request->created = 1;
    return handle_new(v, fd, place, request->flags, request);
}

static int open_present(struct volume *v, struct door_file *request, const struct place *place)
{
    bool directory = S_ISDIR(place->st.st_mode);
    bool write = request->flags & (DOOR_FILE_WRITABLE | DOOR_FILE_TRUNCATE);
    uint64_t now = request->stat.written;
    int fd;

    if (request->flags & DOOR_FILE_EXCLUSIVE)
        return DOOR_EXISTS;
    if ((request->flags & DOOR_FILE_DIRECTORY) && !directory)
        return DOOR_NOT_DIRECTORY;
    if (directory && (request->flags & DOOR_FILE_TRUNCATE))
        return DOOR_IS_DIRECTORY;
    if (!directory && write && !(place->st.st_mode & S_IWUSR))
        return DOOR_DENIED;
    fd = place_open(v->root, place->path, directory ? O_RDONLY | O_DIRECTORY : write ? O_RDWR : O_RDONLY, 0);
    if (fd < 0)
        return place_error(errno);
    if (!place_shows(fd)) { /* exchanged for something else meanwhile */
        close(fd);
        return DOOR_NOT_FOUND;
    }
    if (request->flags & DOOR_FILE_TRUNCATE) {
        if (ftruncate(fd, 0) < 0) {
            close(fd);
            return place_error(errno);
        }
        known_written(&v->known, fd, now, false);
    }
    return handle_new(v, fd, place, request->flags, request);
}

static int serve_open(struct volume *v, struct door_file *request)
{
    struct place place;
    int error = place_resolve(v->root, &v->index, request->path, &place);

    request->created = 0;
    request->handle = 0;
    if (error)
        return error;
    if (place.exists)
        return open_present(v, request, &place);
    return request->flags & DOOR_FILE_CREATE ? open_new(v, request, &place) : DOOR_NOT_FOUND;
}

static int serve_read(struct handle *h, struct door_file *request, void *transfer, uint64_t limit)
{
    uint64_t want = request->bytes < limit ? request->bytes : limit;
    ssize_t n;

    request->bytes = 0;
    if (h->directory)
        return DOOR_IS_DIRECTORY;
    if (request->offset > INT64_MAX - limit)
        return DOOR_END;
    n = pread(h->fd, transfer, want, (off_t)request->offset);
    if (n < 0)
        return place_error(errno);
    request->bytes = (uint64_t)n;
    return n == 0 && want ? DOOR_END : DOOR_OK;
}

static int serve_write(struct volume *v, struct handle *h, struct door_file *request, const void *transfer,
                       uint64_t limit)
{
    uint64_t want = request->bytes < limit ? request->bytes : limit;
    ssize_t n;

    request->bytes = 0;
    if (h->directory)
        return DOOR_IS_DIRECTORY;
    if (!h->writable)
        return DOOR_DENIED;
    if (request->offset > INT64_MAX - limit)
        return DOOR_NO_SPACE;
    n = pwrite(h->fd, transfer, want, (off_t)request->offset);
    if (n < 0)
        return place_error(errno);
    known_written(&v->known, h->fd, request->stat.written, false);
    request->bytes = (uint64_t)n;
    return (uint64_t)n < want ? DOOR_NO_SPACE : DOOR_OK;
}

static int serve_set_size(struct volume *v, struct handle *h, struct door_file *request)
{
    if (h->directory)
        return DOOR_IS_DIRECTORY;
    if (!h->writable)
        return DOOR_DENIED;
    if (request->offset > INT64_MAX || ftruncate(h->fd, (off_t)request->offset) < 0)
        return request->offset > INT64_MAX || errno == EINVAL ? DOOR_NO_SPACE : place_error(errno);
    known_written(&v->known, h->fd, request->stat.written, false);
    return DOOR_OK;
}

static int serve_remove(struct volume *v, struct handle *h)
{
    const char *name;
    struct stat st;
    int parent, error = DOOR_OK;

    if (!*h->path)
        return DOOR_DENIED; /* the root */
    if (fstat(h->fd, &st) < 0)
        return place_error(errno);
    if (!(st.st_mode & S_IWUSR))
        return DOOR_DENIED;
    parent = place_open_parent(v->root, h->path, &name);
    if (parent < 0)
        return place_error(errno);
    if (!place_is(parent, name, &st))
        error = DOOR_NOT_FOUND;
    else if (unlinkat(parent, name, h->directory ? AT_REMOVEDIR : 0) < 0)
        error = place_error(errno);
    else
        index_removed(&v->index, parent, name);
    close(parent);
    if (!error)
        known_gone(&v->known, &st);
    return error;
}

/* What was open below the old name is below the new one now. */
static void follow_rename(struct volume *v, const char *from, const char *to)
{
    size_t length = strlen(from);

    for (uint32_t i = 0; i < VOLUME_HANDLES; i++) {
        struct handle *h = &v->handle[i];
        char *path;

        if (h->fd < 0 || strncmp(h->path, from, length) || (h->path[length] && h->path[length] != '/'))
            continue;
        if (asprintf(&path, "%s%s", to, h->path + length) >= 0) {
            free(h->path);
            h->path = path;
        }
    }
}

static int serve_rename(struct volume *v, struct handle *h, const struct door_file *request)
{
    struct place to;
    struct stat st;
    const char *name, *wanted = strrchr(request->path, '/');
    char from[PLACE_PATH], target[PLACE_PATH];
    int error = place_resolve(v->root, &v->index, request->path, &to), old, new;
    bool same;

    if (error)
        return error;
    if (!*h->path || !*to.name || fstat(h->fd, &st) < 0)
        return DOOR_DENIED;
    same = to.exists && st.st_ino == to.st.st_ino && st.st_dev == to.st.st_dev;
    if (to.exists && !same && !(request->flags & DOOR_FILE_REPLACE))
        return DOOR_EXISTS;
    if (to.exists && !same && (S_ISDIR(to.st.st_mode) || h->directory))
        return DOOR_DENIED;
    wanted = wanted ? wanted + 1 : request->path; /* a change of letter case alone is a change */
    strcpy(target, to.parent);
    strcpy(from, h->path);
    error = place_append(target, same ? wanted : to.name);
    if (error)
        return error;
    old = place_open_parent(v->root, from, &name);
    new = place_open(v->root, to.parent, O_RDONLY | O_DIRECTORY, 0);
    if (old < 0 || new < 0)
        error = place_error(errno);
    else if (!place_is(old, name, &st))
        error = DOOR_NOT_FOUND;
    else if (renameat(old, name, new, same ? wanted : to.name) < 0)
        error = place_error(errno);
    if (!error) {
        index_removed(&v->index, old, name);
        index_made(&v->index, new, same ? wanted : to.name);
    }
    if (old >= 0)
        close(old);
    if (new >= 0)
        close(new);
    if (!error && to.exists && !same)
        known_gone(&v->known, &to.st);
    if (!error)
        follow_rename(v, from, target);
    return error;
}

/* What is not 0 of the times and attributes; read-only is the host's permission to write. */
static int serve_set_stat(struct volume *v, struct handle *h, const struct door_stat *stat)
{
    struct stat st;
    mode_t mode;

    if (fstat(h->fd, &st) < 0 || !known_set(&v->known, &st, stat))
        return DOOR_IO;
    if (!stat->attributes)
        return DOOR_OK;
    mode = stat->read_only ? st.st_mode & ~(mode_t)(S_IWUSR | S_IWGRP | S_IWOTH) : st.st_mode | S_IWUSR;
    if (S_ISDIR(st.st_mode) || mode == st.st_mode || !stat->read_only == !!(st.st_mode & S_IWUSR))
        return DOOR_OK; /* a directory's read-only attribute says nothing of writing in it */
    return fchmod(h->fd, mode & 07777) < 0 ? place_error(errno) : DOOR_OK;
}

/* A directory that was taken out of the volume while it was open shows nothing any more. */
static bool still_here(struct volume *v, const struct handle *h)
{
    struct stat was, is;
    int fd = place_open(v->root, h->path, O_RDONLY | O_DIRECTORY, 0);
    bool same =
        fd >= 0 && fstat(fd, &is) == 0 && fstat(h->fd, &was) == 0 && was.st_ino == is.st_ino && was.st_dev == is.st_dev;

    if (fd >= 0)
        close(fd);
    return same;
}

/* One more entry at `used` of the answer; false = it has no room. */
static bool add_entry(struct volume *v, const char *name, const struct stat *st, uint8_t *transfer, uint64_t room,
                      uint64_t *used)
{
    uint64_t bytes = (sizeof(struct door_entry) + strlen(name) + 8) & ~7ull;
    struct door_entry *entry = (struct door_entry *)(transfer + *used);

    if (bytes > room - *used)
        return false;
    known_stat(&v->known, st, &entry->stat);
    entry->bytes = (uint32_t)bytes;
    entry->reserved = 0;
    memset(entry->name, 0, bytes - sizeof(*entry));
    strcpy(entry->name, name);
    *used += bytes;
    return true;
}

static int serve_list(struct volume *v, struct handle *h, struct door_file *request, void *transfer, uint64_t limit)
{
    uint64_t room = request->bytes < limit ? request->bytes : limit, used = 0;
    char found[256];
    struct stat st;

    request->bytes = 0;
    if (!h->directory)
        return DOOR_NOT_DIRECTORY;
    if (!still_here(v, h))
        return DOOR_NOT_FOUND;
    if (request->flags & DOOR_FILE_ONLY) {
        if (!names_valid(request->path) || !place_find(&v->index, h->fd, request->path, found, &st))
            return DOOR_END;
        if (!add_entry(v, found, &st, transfer, room, &used))
            return DOOR_NO_MEMORY;
    } else {
        int error = *request->path && h->names.name ? DOOR_OK : listing_read(&h->names, h->fd);
        if (error)
            return error;
        for (size_t i = listing_behind(&h->names, request->path); i < h->names.count; i++)
            if (place_shown(h->fd, h->names.name[i], &st) && /* else removed since the listing began */
                !add_entry(v, h->names.name[i], &st, transfer, room, &used))
                break;
    }
    request->bytes = used;
    return used ? DOOR_OK : DOOR_END;
}

static int serve_handle(struct volume *v, struct handle *h, struct door_file *request, void *transfer, uint64_t bytes)
{
    struct stat st;

    switch (request->op) {
    case DOOR_FILE_CLOSE:
        handle_free(h);
        return DOOR_OK;
    case DOOR_FILE_READ:
        return serve_read(h, request, transfer, bytes);
    case DOOR_FILE_WRITE:
        return serve_write(v, h, request, transfer, bytes);
    case DOOR_FILE_STAT:
        if (fstat(h->fd, &st) < 0)
            return place_error(errno);
        known_stat(&v->known, &st, &request->stat);
        return DOOR_OK;
    case DOOR_FILE_SET_SIZE:
        return serve_set_size(v, h, request);
    case DOOR_FILE_REMOVE:
        return serve_remove(v, h);
    case DOOR_FILE_RENAME:
        return serve_rename(v, h, request);
    case DOOR_FILE_LIST:
        return serve_list(v, h, request, transfer, bytes);
    case DOOR_FILE_SET_STAT:
        return serve_set_stat(v, h, &request->stat);
    case DOOR_FILE_FLUSH:
        return DOOR_OK; /* the host's cache outlives the machine */
    }
    return DOOR_IO;
}

/* ---- Going back ---------------------------------------------------------------------------------------------- */

static bool is_marked(const struct volume *v, uint64_t handle)
{
    return handle && handle <= VOLUME_HANDLES && v->marked[(handle - 1) / 64] >> (handle - 1) % 64 & 1;
}

static bool changes(const struct volume *v, const struct door_file *request)
{
    switch (request->op) {
    case DOOR_FILE_OPEN:
        return request->flags & (DOOR_FILE_CREATE | DOOR_FILE_TRUNCATE);
    case DOOR_FILE_CLOSE:
        return is_marked(v, request->handle);
    case DOOR_FILE_WRITE:
    case DOOR_FILE_SET_SIZE:
    case DOOR_FILE_REMOVE:
    case DOOR_FILE_RENAME:
    case DOOR_FILE_SET_STAT:
        return true;
    }
    return false;
}

void volume_mark(struct volume *v)
{
    v->changed = false;
    v->marked_count = v->known.count;
    for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
        if (v->handle[i].fd >= 0)
            v->marked[i / 64] |= 1ull << i % 64;
}

bool volume_back(struct volume *v)
{
    for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
        if (v->handle[i].fd >= 0 && !is_marked(v, i + 1))
            handle_free(&v->handle[i]);
    known_forget(&v->known, v->marked_count);
    return !v->changed;
}

int volume_serve(struct volume *v, struct door_file *request, void *transfer, uint64_t bytes)
{
    struct handle *h;

    v->changed |= changes(v, request);
    if (request->volume != 0)
        return DOOR_NOT_FOUND;
    if (request->op == DOOR_FILE_OPEN)
        return serve_open(v, request);
    if (request->op == DOOR_FILE_VOLUME) {
        request->stat = (struct door_stat){.size = VOLUME_BYTES, .allocated = VOLUME_FREE, .directory = 1};
        return DOOR_OK;
    }
    h = handle_of(v, request->handle);
    return h ? serve_handle(v, h, request, transfer, bytes) : DOOR_IO;
}

/* ---- Opening, closing ---------------------------------------------------------------------------------------- */

struct volume *volume_open(const char *directory)
{
    struct volume *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (v->root < 0) {
        free(v);
        return NULL;
    }
    for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
        v->handle[i].fd = -1;
    return v;
}

void volume_close(struct volume *v)
{
    for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
        if (v->handle[i].fd >= 0)
            handle_free(&v->handle[i]);
    close(v->root);
    indexes_clear(&v->index);
    free(v->known.file);
    free(v);
}

int volume_read_all(struct volume *v, const char *path, void **bytes, uint64_t *size)
{
    struct place place;
    int error = place_resolve(v->root, &v->index, path, &place), fd;
    uint64_t done = 0;
    ssize_t n;

    if (error || !place.exists)
        return error ? error : DOOR_NOT_FOUND;
    if (S_ISDIR(place.st.st_mode))
        return DOOR_IS_DIRECTORY;
    fd = place_open(v->root, place.path, O_RDONLY, 0);
    if (fd < 0)
        return place_error(errno);
    *size = (uint64_t)place.st.st_size;
    if (!place_shows(fd) || *size > VOLUME_READ_ALL || !(*bytes = malloc(*size + 1))) {
        close(fd);
        return DOOR_NO_MEMORY;
    }
    while (done < *size && (n = read(fd, (char *)*bytes + done, *size - done)) > 0)
        done += (uint64_t)n;
    *size = done;
    close(fd);
    return DOOR_OK;
}
