/*
 * Volumes: requests of the machine carried out on a host directory. See volume.h.
 *
 * Names. A component is looked up exactly first, then without regard to letter case; of several that differ only in
 * case the first in byte order is the one that exists. What Windows could not name (its forbidden characters, broken
 * UTF-8) and what is neither file nor directory does not exist. Every opening goes through openat2 below the volume's
 * root with symbolic links refused, so a directory that changes meanwhile cannot lead outside.
 *
 * Nothing of the host is seen: times are virtual (a constant for what was there before), file ids are given in order of
 * first sight, sizes of the volume are constants.
 */
#define _GNU_SOURCE
#include "supervisor/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/names.h"
#include "supervisor/nameindex.h"

#define VOLUME_HANDLES 512 /* well below the usual limit of 1024 descriptors */
#define VOLUME_PATH 1024
#define VOLUME_BYTES (64ull << 30)
#define VOLUME_FREE (32ull << 30)
#define VOLUME_TIME 132223104000000000ull /* of files that were there before */
#define VOLUME_ARCHIVE 0x20u              /* FILE_ATTRIBUTE_ARCHIVE, as the machine has it */
#define VOLUME_NORMAL 0x80u               /* none */
#define VOLUME_READ_ALL (1ull << 30)      /* largest image file */

struct handle {
    int fd; /* -1 = free */
    bool writable, directory;
    char *path;   /* as it is on the host */
    char **names; /* listing in order, made by the first LIST */
    size_t name_count;
};

#define KNOWN_CHAINS 65536

/* What the machine knows of a file beyond its bytes. */
struct known {
    dev_t device;
    ino_t inode;
    bool gone;
    uint32_t attributes;
    size_t next; /* in its chain: index + 1, 0 = the last */
    uint64_t created, accessed, written, changed;
};

struct volume {
    int root;
    struct handle handle[VOLUME_HANDLES];
    struct known *known; /* id - 1 is the index */
    size_t known_count, known_room;
    size_t chain[KNOWN_CHAINS]; /* of known, by inode: index + 1 */
    struct indexes index;
    bool changed; /* since the mark, in a way that is not undone */
    size_t marked_count;
    uint64_t marked[VOLUME_HANDLES / 64]; /* handles that were open */
};

static int error_of(int code)
{
    switch (code) {
    case 0:
        return DOOR_OK;
    case ENOENT:
        return DOOR_NOT_FOUND;
    case EEXIST:
        return DOOR_EXISTS;
    case EISDIR:
        return DOOR_IS_DIRECTORY;
    case ENOTDIR:
        return DOOR_NOT_DIRECTORY;
    case ENOTEMPTY:
        return DOOR_NOT_EMPTY;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case EXDEV:
    case ETXTBSY:
    case EBUSY:
        return DOOR_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return DOOR_NO_SPACE;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return DOOR_NO_MEMORY;
    case ENAMETOOLONG:
    case EINVAL:
        return DOOR_BAD_NAME;
    }
    return DOOR_IO;
}

/* ---- Finding ------------------------------------------------------------------------------------------------- */

int volume_open_below(int dir, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));
}

static bool is_shown(int dir, const char *name, struct stat *st)
{
    return names_valid(name) && fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

/* By reading the whole directory. */
static bool find_slowly(int dir, const char *name, char *found, struct stat *st)
{
    int copy = volume_open_below(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;

    *found = 0;
    while (stream && (entry = readdir(stream))) {
        if (names_compare(entry->d_name, name) == 0 && (!*found || strcmp(entry->d_name, found) < 0) &&
            is_shown(dir, entry->d_name, st))
            strcpy(found, entry->d_name);
    }
    if (stream)
        closedir(stream);
    return *found && is_shown(dir, found, st);
}

static bool find_entry(struct indexes *all, int dir, const char *name, char *found, struct stat *st)
{
    const struct index *x;
    const char *entry;

    *found = 0;
    if (is_shown(dir, name, st)) {
        strcpy(found, name);
        return true;
    }
    x = index_of(all, dir);
    entry = x ? index_find(x, name) : NULL;
    if (!entry)
        return false;
    if (!is_shown(dir, entry, st)) /* gone, or something that is not shown hides another of the same name */
        return find_slowly(dir, name, found, st);
    strcpy(found, entry);
    return true;
}

/* A path of the machine, resolved as far as it exists. */
struct place {
    char path[VOLUME_PATH];   /* host names */
    char parent[VOLUME_PATH]; /* the same without the last component */
    const char *name;         /* the last component, in path */
    bool exists;
    struct stat st;
};

static int append(char *path, const char *component)
{
    size_t used = strlen(path);

    if (used + strlen(component) + 2 > VOLUME_PATH)
        return DOOR_BAD_NAME;
    sprintf(path + used, "%s%s", used ? "/" : "", component);
    return DOOR_OK;
}

static int resolve(struct volume *v, const char *path, struct place *place)
{
    char component[256], found[256];
    int error = DOOR_OK;

    memset(place, 0, sizeof(*place));
    place->name = "";
    place->exists = true;
    if (fstat(v->root, &place->st) < 0)
        return error_of(errno);
    while (!error && *path) {
        size_t n = strcspn(path, "/");
        int dir;

        if (n == 0 || n >= sizeof(component))
            return DOOR_BAD_NAME;
        memcpy(component, path, n);
        component[n] = 0;
        path += path[n] ? n + 1 : n;
        if (!names_valid(component))
            return DOOR_BAD_NAME;
        if (!place->exists)
            return DOOR_NOT_FOUND; /* below something that does not exist */
        if (!S_ISDIR(place->st.st_mode))
            return DOOR_NOT_DIRECTORY;
        strcpy(place->parent, place->path);
        dir = volume_open_below(v->root, place->path, O_RDONLY | O_DIRECTORY, 0);
        if (dir < 0)
            return error_of(errno);
        place->exists = find_entry(&v->index, dir, component, found, &place->st);
        close(dir);
        error = append(place->path, place->exists ? found : component);
        place->name = place->path + strlen(place->path) - strlen(place->exists ? found : component);
    }
    return error;
}

/* ---- What the machine is told of a file ------------------------------------------------------------------------ */

static size_t *chain_of(struct volume *v, ino_t inode)
{
    return &v->chain[(inode * 0x9e3779b97f4a7c15ull) >> 48];
}

static struct known *known_of(struct volume *v, const struct stat *st)
{
    size_t *chain = chain_of(v, st->st_ino);

    for (size_t i = *chain; i; i = v->known[i - 1].next)
        if (!v->known[i - 1].gone && v->known[i - 1].inode == st->st_ino && v->known[i - 1].device == st->st_dev)
            return &v->known[i - 1];
    if (v->known_count == v->known_room) {
        size_t room = v->known_room ? 2 * v->known_room : 64;
        void *more = realloc(v->known, room * sizeof(*v->known));
        if (!more)
            return NULL;
        v->known = more;
        v->known_room = room;
    }
    v->known[v->known_count] = (struct known){.device = st->st_dev,
                                              .inode = st->st_ino,
                                              .attributes = S_ISDIR(st->st_mode) ? 0 : VOLUME_ARCHIVE,
                                              .next = *chain,
                                              .created = VOLUME_TIME,
                                              .accessed = VOLUME_TIME,
                                              .written = VOLUME_TIME,
                                              .changed = VOLUME_TIME};
    *chain = ++v->known_count;
    return &v->known[v->known_count - 1];
}

static void fill_stat(struct volume *v, const struct stat *st, struct door_stat *out)
{
    struct known *known = known_of(v, st);
    bool directory = S_ISDIR(st->st_mode);

    *out = (struct door_stat){
        .size = directory ? 0 : (uint64_t)st->st_size,
        .allocated = directory ? 0 : ((uint64_t)st->st_size + 4095) & ~4095ull,
        .directory = directory,
        .read_only = !(st->st_mode & S_IWUSR),
    };
    if (known) {
        out->created = known->created;
        out->accessed = known->accessed;
        out->written = known->written;
        out->changed = known->changed;
        out->attributes = known->attributes;
        out->id = (uint64_t)(known - v->known) + 1;
    }
}

static void note_written(struct volume *v, int fd, uint64_t time, bool created)
{
    struct stat st;
    struct known *known = fstat(fd, &st) == 0 ? known_of(v, &st) : NULL;

    if (!known || !time)
        return;
    known->accessed = known->written = known->changed = time;
    known->attributes |= S_ISDIR(st.st_mode) ? 0 : VOLUME_ARCHIVE;
    if (created)
        known->created = time;
}

/* ---- Handles ------------------------------------------------------------------------------------------------- */

static struct handle *handle_of(struct volume *v, uint64_t id)
{
    return id && id <= VOLUME_HANDLES && v->handle[id - 1].fd >= 0 ? &v->handle[id - 1] : NULL;
}

static void forget_names(struct handle *h)
{
    for (size_t i = 0; i < h->name_count; i++)
        free(h->names[i]);
    free(h->names);
    h->names = NULL;
    h->name_count = 0;
}

static void handle_free(struct handle *h)
{
    close(h->fd);
    free(h->path);
    forget_names(h);
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
        fill_stat(v, &st, &request->stat);
        return DOOR_OK;
    }
    close(fd);
    return DOOR_NO_MEMORY;
}

/* ---- Requests ------------------------------------------------------------------------------------------------ */

static int open_new(struct volume *v, struct door_file *request, const struct place *place)
{
    uint64_t now = request->stat.written;
    int parent = volume_open_below(v->root, place->parent, O_RDONLY | O_DIRECTORY, 0);
    int fd = -1, error = DOOR_OK;

    if (parent < 0)
        return error_of(errno);
    if (!(request->flags & DOOR_FILE_DIRECTORY))
        fd = volume_open_below(parent, place->name, O_RDWR | O_CREAT | O_EXCL, 0666);
    else if (mkdirat(parent, place->name, 0777) == 0)
        fd = volume_open_below(parent, place->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        error = errno == EEXIST ? DOOR_DENIED : error_of(errno); /* present, but not shown: a link, say */
    else
        index_made(&v->index, parent, place->name);
    close(parent);
    if (error)
        return error;
    note_written(v, fd, now, true);
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
    fd = volume_open_below(v->root, place->path, directory ? O_RDONLY | O_DIRECTORY : write ? O_RDWR : O_RDONLY, 0);
    if (fd < 0)
        return error_of(errno);
    if (request->flags & DOOR_FILE_TRUNCATE) {
        if (ftruncate(fd, 0) < 0) {
            close(fd);
            return error_of(errno);
        }
        note_written(v, fd, now, false);
    }
    return handle_new(v, fd, place, request->flags, request);
}

static int serve_open(struct volume *v, struct door_file *request)
{
    struct place place;
    int error = resolve(v, request->path, &place);

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
        return error_of(errno);
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
        return error_of(errno);
    note_written(v, h->fd, request->stat.written, false);
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
        return request->offset > INT64_MAX || errno == EINVAL ? DOOR_NO_SPACE : error_of(errno);
    note_written(v, h->fd, request->stat.written, false);
    return DOOR_OK;
}

static int open_parent(struct volume *v, const char *path, const char **name)
{
    char parent[VOLUME_PATH] = "";
    const char *slash = strrchr(path, '/');

    if (slash)
        memcpy(parent, path, (size_t)(slash - path));
    *name = slash ? slash + 1 : path;
    return volume_open_below(v->root, parent, O_RDONLY | O_DIRECTORY, 0);
}

static int serve_remove(struct volume *v, struct handle *h)
{
    const char *name;
    struct stat st;
    struct known *known;
    int parent, error = DOOR_OK;

    if (!*h->path)
        return DOOR_DENIED; /* the root */
    if (fstat(h->fd, &st) < 0)
        return error_of(errno);
    if (!(st.st_mode & S_IWUSR))
        return DOOR_DENIED;
    parent = open_parent(v, h->path, &name);
    if (parent < 0)
        return error_of(errno);
    if (unlinkat(parent, name, h->directory ? AT_REMOVEDIR : 0) < 0)
        error = error_of(errno);
    else
        index_removed(&v->index, parent, name);
    close(parent);
    known = error ? NULL : known_of(v, &st);
    if (known)
        known->gone = true;
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
    char from[VOLUME_PATH], target[VOLUME_PATH];
    int error = resolve(v, request->path, &to), old, new;
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
    error = append(target, same ? wanted : to.name);
    if (error)
        return error;
    old = open_parent(v, from, &name);
    new = volume_open_below(v->root, to.parent, O_RDONLY | O_DIRECTORY, 0);
    if (old < 0 || new < 0 || renameat(old, name, new, same ? wanted : to.name) < 0)
        error = error_of(errno);
    if (!error) {
        index_removed(&v->index, old, name);
        index_made(&v->index, new, same ? wanted : to.name);
    }
    if (old >= 0)
        close(old);
    if (new >= 0)
        close(new);
    if (!error && to.exists && !same && known_of(v, &to.st))
        known_of(v, &to.st)->gone = true;
    if (!error)
        follow_rename(v, from, target);
    return error;
}

/* What is not 0 of the times and attributes; read-only is the host's permission to write. */
static int serve_set_stat(struct volume *v, struct handle *h, const struct door_stat *stat)
{
    struct stat st;
    struct known *known = fstat(h->fd, &st) == 0 ? known_of(v, &st) : NULL;
    mode_t mode;

    if (!known)
        return DOOR_IO;
    known->created = stat->created ? stat->created : known->created;
    known->accessed = stat->accessed ? stat->accessed : known->accessed;
    known->written = stat->written ? stat->written : known->written;
    known->changed = stat->changed ? stat->changed : known->changed;
    if (!stat->attributes)
        return DOOR_OK;
    known->attributes = stat->attributes & ~VOLUME_NORMAL;
    mode = stat->read_only ? st.st_mode & ~(mode_t)(S_IWUSR | S_IWGRP | S_IWOTH) : st.st_mode | S_IWUSR;
    if (S_ISDIR(st.st_mode) || mode == st.st_mode || !stat->read_only == !!(st.st_mode & S_IWUSR))
        return DOOR_OK; /* a directory's read-only attribute says nothing of writing in it */
    return fchmod(h->fd, mode & 07777) < 0 ? error_of(errno) : DOOR_OK;
}

static int by_name(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = names_compare(x, y);

    return order ? order : strcmp(x, y);
}

static int read_names(struct handle *h)
{
    int copy = volume_open_below(h->fd, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    struct stat st;
    size_t kept = 0;

    forget_names(h);
    if (!stream)
        return error_of(errno);
    while ((entry = readdir(stream))) {
        void *more;
        if (!is_shown(h->fd, entry->d_name, &st))
            continue;
        more = realloc(h->names, (h->name_count + 1) * sizeof(*h->names));
        if (!more)
            break;
        h->names = more;
        if ((h->names[h->name_count] = strdup(entry->d_name)))
            h->name_count++;
    }
    closedir(stream);
    if (h->name_count)
        qsort(h->names, h->name_count, sizeof(*h->names), by_name);
    for (size_t i = 0; i < h->name_count; i++) {
        if (kept && names_compare(h->names[kept - 1], h->names[i]) == 0)
            free(h->names[i]);
        else
            h->names[kept++] = h->names[i];
    }
    h->name_count = kept;
    return DOOR_OK;
}

static int serve_list(struct volume *v, struct handle *h, struct door_file *request)
{
    struct stat st;
    int error = DOOR_OK;

    if (!h->directory)
        return DOOR_NOT_DIRECTORY;
    if (request->offset == 0 || !h->names)
        error = read_names(h);
    if (error)
        return error;
    if (request->offset >= h->name_count)
        return DOOR_END;
    snprintf(request->path, sizeof(request->path), "%s", h->names[request->offset]);
    if (!is_shown(h->fd, request->path, &st))
        memset(&st, 0, sizeof(st)); /* removed since the listing began */
    fill_stat(v, &st, &request->stat);
    return DOOR_OK;
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
            return error_of(errno);
        fill_stat(v, &st, &request->stat);
        return DOOR_OK;
    case DOOR_FILE_SET_SIZE:
        return serve_set_size(v, h, request);
    case DOOR_FILE_REMOVE:
        return serve_remove(v, h);
    case DOOR_FILE_RENAME:
        return serve_rename(v, h, request);
    case DOOR_FILE_LIST:
        return serve_list(v, h, request);
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
    v->marked_count = v->known_count;
    for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
        if (v->handle[i].fd >= 0)
            v->marked[i / 64] |= 1ull << i % 64;
}

bool volume_back(struct volume *v)
{
    for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
        if (v->handle[i].fd >= 0 && !is_marked(v, i + 1))
            handle_free(&v->handle[i]);
    while (v->known_count > v->marked_count) { /* each is the first of its chain when its turn comes */
        struct known *last = &v->known[--v->known_count];
        *chain_of(v, last->inode) = last->next;
    }
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
    free(v->known);
    free(v);
}

int volume_read_all(struct volume *v, const char *path, void **bytes, uint64_t *size)
{
    struct place place;
    int error = resolve(v, path, &place), fd;
    uint64_t done = 0;
    ssize_t n;

    if (error || !place.exists)
        return error ? error : DOOR_NOT_FOUND;
    if (S_ISDIR(place.st.st_mode))
        return DOOR_IS_DIRECTORY;
    *size = (uint64_t)place.st.st_size;
    if (*size > VOLUME_READ_ALL || !(*bytes = malloc(*size + 1)))
        return DOOR_NO_MEMORY;
    fd = volume_open_below(v->root, place.path, O_RDONLY, 0);
    if (fd < 0)
        return error_of(errno);
    while (done < *size && (n = read(fd, (char *)*bytes + done, *size - done)) > 0)
        done += (uint64_t)n;
    *size = done;
    close(fd);
    return DOOR_OK;
}

static void remove_below(int dir)
{
    DIR *stream = fdopendir(dir);
    struct dirent *entry;

    while (stream && (entry = readdir(stream))) {
        int fd;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            unlinkat(dirfd(stream), entry->d_name, 0) == 0)
            continue;
        fd = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        remove_below(fd);
        unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
    }
    if (stream)
        closedir(stream);
}

void volume_remove_tree(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        remove_below(fd);
    rmdir(directory);
}
