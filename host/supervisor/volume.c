/*
 * Volumes: requests of the machine carried out on a host directory. See volume.h; place.h for how names are found, known.h
 * for what files say of themselves. Sizes of the volume are constants.
 */
#define _GNU_SOURCE
#include "supervisor/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/handles.h"
#include "supervisor/known.h"
#include "supervisor/listing.h"
#include "supervisor/nameindex.h"
#include "supervisor/names.h"
#include "supervisor/place.h"

#define VOLUME_BYTES (64ull << 30)
#define VOLUME_FREE (32ull << 30)
#define VOLUME_READ_ALL (1ull << 30) /* largest image file */

struct volume {
    int root;
    struct handles handles;
    struct known known;
    struct indexes index;
    bool changed; /* since the mark, in a way that is not undone */
    size_t marked_count;
};

static int answer_open(struct volume *v, int fd, const struct place *place, struct door_file *request)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        close(fd);
        return DOOR_NO_MEMORY;
    }
    known_stat(&v->known, known_id(&v->known, &st), &st, &request->stat);
    return handle_new(&v->handles, fd, place->path, request->flags & DOOR_FILE_WRITABLE, request->stat.id,
                      &request->handle);
}

/* ---- Requests ------------------------------------------------------------------------------------------------ */

/* What is not 0 of the times and attributes; read-only is the host's permission to write. */
static int set_stat(struct volume *v, int fd, uint64_t id, const struct door_stat *stat)
{
    struct stat st;
    mode_t mode;

    if (fstat(fd, &st) < 0 || !known_set(&v->known, id, stat))
        return DOOR_IO;
    if (!stat->attributes)
        return DOOR_OK;
    mode = stat->read_only ? st.st_mode & ~(mode_t)(S_IWUSR | S_IWGRP | S_IWOTH) : st.st_mode | S_IWUSR;
    if (S_ISDIR(st.st_mode) || mode == st.st_mode || !stat->read_only == !!(st.st_mode & S_IWUSR))
        return DOOR_OK; /* a directory's read-only attribute says nothing of writing in it */
    return fchmod(fd, mode & 07777) < 0 ? place_error(errno) : DOOR_OK;
}

static int open_new(struct volume *v, struct door_file *request, const struct place *place)
{
    struct door_stat wanted = {.attributes = request->stat.attributes, .read_only = request->stat.read_only};
    uint64_t now = request->stat.written, id;
    int fd = -1, error;
    struct stat st;

    if (!(request->flags & DOOR_FILE_DIRECTORY))
        fd = place_open(place->dir, place->name, O_RDWR | O_CREAT | O_EXCL, 0666);
    else if (mkdirat(place->dir, place->name, 0777) == 0)
        fd = place_open(place->dir, place->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == EEXIST ? DOOR_DENIED : place_error(errno); /* present, but not shown: a link, say */
    index_made(&v->index, place->dir, place->name);
    id = fstat(fd, &st) == 0 ? known_id(&v->known, &st) : 0;
    known_written(&v->known, id, now, true);
    request->created = 1;
    error = wanted.attributes ? set_stat(v, fd, id, &wanted) : DOOR_OK;
    if (!error)
        return answer_open(v, fd, place, request);
    close(fd);
    return error;
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
    fd = place_open_found(v->root, place, directory ? O_RDONLY | O_DIRECTORY : write ? O_RDWR : O_RDONLY, 0);
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
        known_written(&v->known, known_id(&v->known, &place->st), now, false);
    }
    return answer_open(v, fd, place, request);
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
        error = open_present(v, request, &place);
    else
        error = request->flags & DOOR_FILE_CREATE ? open_new(v, request, &place) : DOOR_NOT_FOUND;
    place_done(&place);
    return error;
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
    known_written(&v->known, h->known, request->stat.written, false);
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
    known_written(&v->known, h->known, request->stat.written, false);
    return DOOR_OK;
}

static int serve_remove(struct volume *v, struct handle *h, uint32_t flags)
{
    char path[PLACE_PATH];
    const char *name;
    struct stat st;
    int parent, error = DOOR_OK;

    if (!open_name_path(h->name, path))
        return DOOR_BAD_NAME;
    if (!*path)
        return DOOR_DENIED; /* the root */
    if (fstat(h->fd, &st) < 0)
        return place_error(errno);
    if (!(st.st_mode & S_IWUSR) && !(flags & DOOR_FILE_READ_ONLY_TOO))
        return DOOR_DENIED;
    parent = place_open_parent(v->root, path, &name);
    if (parent < 0)
        return place_error(errno);
    if (!place_is(parent, name, &st))
        error = DOOR_NOT_FOUND;
    else if (unlinkat(parent, name, h->directory ? AT_REMOVEDIR : 0) < 0)
        error = place_error(errno);
    else
        index_removed(&v->index, parent, name);
    close(parent);
    if (!error) {
        known_gone(&v->known, &st);
        open_name_gone(&v->handles.names, h->name);
    }
    return error;
}

/* The host's part of it. `to` is resolved, `last` its last component as it shall be. */
static int rename_on_host(struct volume *v, const char *from, const struct stat *st, const struct place *to,
                          const char *last)
{
    const char *name;
    int old = place_open_parent(v->root, from, &name), error = DOOR_OK;

    if (old < 0)
        return place_error(errno);
    if (!place_is(old, name, st))
        error = DOOR_NOT_FOUND;
    else if (renameat(old, name, to->dir, last) < 0)
        error = place_error(errno);
    if (!error) {
        index_removed(&v->index, old, name);
        index_made(&v->index, to->dir, last);
    }
    close(old);
    return error;
}

static int rename_to(struct volume *v, struct handle *h, const struct door_file *request, const struct place *to)
{
    const char *last = strrchr(request->path, '/');
    char from[PLACE_PATH], target[PLACE_PATH];
    struct stat st;
    bool same;
    int error;

    if (!open_name_path(h->name, from) || !*from || !*to->name || fstat(h->fd, &st) < 0)
        return DOOR_DENIED;
    same = to->exists && st.st_ino == to->st.st_ino && st.st_dev == to->st.st_dev;
    if (to->exists && !same && !(request->flags & DOOR_FILE_REPLACE))
        return DOOR_EXISTS;
    if (to->exists && !same && (S_ISDIR(to->st.st_mode) || h->directory))
        return DOOR_DENIED;
    if (open_name_holds(h->name))
        return DOOR_DENIED; /* docs: FILE_RENAME_INFORMATION: not while something below is open */
    last = !same ? to->name : last ? last + 1 : request->path; /* a change of letter case alone is a change */
    strcpy(target, to->parent);
    error = place_append(target, last);
    if (!error)
        error = rename_on_host(v, from, &st, to, last);
    if (error)
        return error;
    if (to->exists && !same)
        known_gone(&v->known, &to->st);
    return open_name_move(&v->handles.names, h->name, target) ? DOOR_OK : DOOR_NO_MEMORY;
}

static int serve_rename(struct volume *v, struct handle *h, const struct door_file *request)
{
    struct place to;
    int error = place_resolve(v->root, &v->index, request->path, &to);

    if (error)
        return error;
    error = rename_to(v, h, request, &to);
    place_done(&to);
    return error;
}

/* The host's part of a further name. What has it already is gone then. */
static int link_on_host(struct volume *v, const char *from, const struct stat *st, const struct place *to)
{
    const char *name;
    int old = place_open_parent(v->root, from, &name), error = DOOR_OK;

    if (old < 0)
        return place_error(errno);
    if (!place_is(old, name, st))
        error = DOOR_NOT_FOUND;
    else if (to->exists && unlinkat(to->dir, to->name, 0) < 0)
        error = place_error(errno);
    else if (linkat(old, name, to->dir, to->name, 0) < 0)
        error = place_error(errno);
    else
        index_made(&v->index, to->dir, to->name);
    close(old);
    return error;
}

static int link_to(struct volume *v, struct handle *h, const struct door_file *request, const struct place *to)
{
    char from[PLACE_PATH];
    struct stat st;
    int error;

    if (h->directory)
        return DOOR_IS_DIRECTORY;
    if (!open_name_path(h->name, from) || fstat(h->fd, &st) < 0)
        return DOOR_BAD_NAME;
    if (to->exists && st.st_ino == to->st.st_ino && st.st_dev == to->st.st_dev)
        return DOOR_OK;
    if (to->exists && !(request->flags & DOOR_FILE_REPLACE))
        return DOOR_EXISTS;
    if (to->exists && S_ISDIR(to->st.st_mode))
        return DOOR_DENIED;
    error = link_on_host(v, from, &st, to);
    if (!error && to->exists)
        known_gone(&v->known, &to->st);
    return error;
}

static int serve_link(struct volume *v, struct handle *h, const struct door_file *request)
{
    struct place to;
    int error = place_resolve(v->root, &v->index, request->path, &to);

    if (error)
        return error;
    error = *to.name ? link_to(v, h, request, &to) : DOOR_DENIED;
    place_done(&to);
    return error;
}

/* Entries that the machine does not see keep a directory from being removed, too. */
static int serve_empty(const struct handle *h)
{
    int copy = h->directory ? place_open(h->fd, ".", O_RDONLY | O_DIRECTORY, 0) : -1;
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    bool any = false;

    if (!stream)
        return h->directory ? place_error(errno) : DOOR_NOT_DIRECTORY;
    while (!any && (entry = readdir(stream)))
        any = strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(stream);
    return any ? DOOR_NOT_EMPTY : DOOR_OK;
}

/* A directory that was taken out of the volume while it was open shows nothing any more. */
static bool still_here(struct volume *v, const struct handle *h)
{
    char path[PLACE_PATH];
    struct stat was, is;
    int fd = open_name_path(h->name, path) ? place_open(v->root, path, O_RDONLY | O_DIRECTORY, 0) : -1;
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
    known_stat(&v->known, known_id(&v->known, st), st, &entry->stat);
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
    case DOOR_FILE_READ:
        return serve_read(h, request, transfer, bytes);
    case DOOR_FILE_WRITE:
        return serve_write(v, h, request, transfer, bytes);
    case DOOR_FILE_STAT:
        if (fstat(h->fd, &st) < 0)
            return place_error(errno);
        known_stat(&v->known, h->known, &st, &request->stat);
        return DOOR_OK;
    case DOOR_FILE_SET_SIZE:
        return serve_set_size(v, h, request);
    case DOOR_FILE_REMOVE:
        return serve_remove(v, h, request->flags);
    case DOOR_FILE_RENAME:
        return serve_rename(v, h, request);
    case DOOR_FILE_LIST:
        return serve_list(v, h, request, transfer, bytes);
    case DOOR_FILE_SET_STAT:
        return set_stat(v, h->fd, h->known, &request->stat);
    case DOOR_FILE_EMPTY:
        return serve_empty(h);
    case DOOR_FILE_LINK:
        return serve_link(v, h, request);
    case DOOR_FILE_FLUSH:
        return DOOR_OK; /* the host's cache outlives the machine */
    }
    return DOOR_IO;
}

/* ---- Going back ---------------------------------------------------------------------------------------------- */

static bool changes(struct volume *v, const struct door_file *request)
{
    const struct handle *h;

    switch (request->op) {
    case DOOR_FILE_OPEN:
        return request->flags & (DOOR_FILE_CREATE | DOOR_FILE_TRUNCATE);
    case DOOR_FILE_CLOSE:
        h = handle_of(&v->handles, request->handle);
        return h && h->marked;
    case DOOR_FILE_WRITE:
    case DOOR_FILE_SET_SIZE:
    case DOOR_FILE_REMOVE:
    case DOOR_FILE_RENAME:
    case DOOR_FILE_SET_STAT:
    case DOOR_FILE_LINK:
        return true;
    }
    return false;
}

void volume_mark(struct volume *v)
{
    v->changed = false;
    v->marked_count = v->known.count;
    handles_mark(&v->handles);
}

bool volume_back(struct volume *v)
{
    handles_back(&v->handles);
    known_forget(&v->known, v->marked_count);
    return !v->changed;
}

int volume_serve(struct volume *v, struct door_file *request, void *transfer, uint64_t bytes)
{
    struct handle *h;
    int error;

    v->changed |= changes(v, request);
    if (request->volume != 0)
        return DOOR_NOT_FOUND;
    if (request->op == DOOR_FILE_OPEN)
        return serve_open(v, request);
    if (request->op == DOOR_FILE_VOLUME) {
        request->stat = (struct door_stat){.size = VOLUME_BYTES, .allocated = VOLUME_FREE, .directory = 1};
        return DOOR_OK;
    }
    h = handle_of(&v->handles, request->handle);
    if (!h)
        return DOOR_IO;
    if (request->op == DOOR_FILE_CLOSE) {
        handle_free(&v->handles, h);
        return DOOR_OK;
    }
    error = handle_ready(&v->handles, h);
    return error ? error : serve_handle(v, h, request, transfer, bytes);
}

/* ---- Opening, closing ---------------------------------------------------------------------------------------- */

struct volume *volume_open(const char *directory)
{
    struct volume *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->index.quiet = INDEX_QUIET;
    v->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (v->root >= 0 && handles_make(&v->handles, v->root))
        return v;
    if (v->root >= 0)
        close(v->root);
    free(v);
    return NULL;
}

void volume_close(struct volume *v)
{
    handles_clear(&v->handles);
    close(v->root);
    indexes_clear(&v->index);
    free(v->known.file);
    free(v);
}

static int read_found(struct volume *v, const struct place *place, void **bytes, uint64_t *size)
{
    uint64_t done = 0;
    ssize_t n;
    int fd;

    if (!place->exists)
        return DOOR_NOT_FOUND;
    if (S_ISDIR(place->st.st_mode))
        return DOOR_IS_DIRECTORY;
    fd = place_open_found(v->root, place, O_RDONLY, 0);
    if (fd < 0)
        return place_error(errno);
    *size = (uint64_t)place->st.st_size;
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

int volume_read_all(struct volume *v, const char *path, void **bytes, uint64_t *size)
{
    struct place place;
    int error = place_resolve(v->root, &v->index, path, &place);

    if (error)
        return error;
    error = read_found(v, &place, bytes, size);
    place_done(&place);
    return error;
}
