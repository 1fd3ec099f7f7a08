/* Where a path of the machine leads on the host; see place.h. */
#define _GNU_SOURCE
#include "supervisor/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "door.h"
#include "supervisor/names.h"

#define PLACE_COMPONENT 256

int place_error(int code)
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

int place_open(int dir, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));
}

int place_open_parent(int root, const char *path, const char **name)
{
    char parent[PLACE_PATH] = "";
    const char *slash = strrchr(path, '/');

    if (slash)
        memcpy(parent, path, (size_t)(slash - path));
    *name = slash ? slash + 1 : path;
    return place_open(root, parent, O_RDONLY | O_DIRECTORY, 0);
}

bool place_shown(int dir, const char *name, struct stat *st)
{
    return names_valid(name) && fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

bool place_shows(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

bool place_is(int dir, const char *name, const struct stat *st)
{
    struct stat now;

    return place_shown(dir, name, &now) && now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

/* By reading the whole directory. */
static bool find_slowly(int dir, const char *name, char *found, struct stat *st)
{
    int copy = place_open(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;

    *found = 0;
    while (stream && (entry = readdir(stream))) {
        if (names_compare(entry->d_name, name) == 0 && (!*found || strcmp(entry->d_name, found) < 0) &&
            place_shown(dir, entry->d_name, st))
            strcpy(found, entry->d_name);
    }
    if (stream)
        closedir(stream);
    return *found && place_shown(dir, found, st);
}

bool place_find(struct indexes *all, int dir, const char *name, char *found, struct stat *st)
{
    const struct index *x;
    const char *entry;

    *found = 0;
    if (place_shown(dir, name, st)) {
        strcpy(found, name);
        return true;
    }
    x = index_of(all, dir);
    entry = x ? index_find(x, name) : NULL;
    if (!entry)
        return false;
    if (!place_shown(dir, entry, st)) /* gone, or something that is not shown hides another of the same name */
        return find_slowly(dir, name, found, st);
    strcpy(found, entry);
    return true;
}

int place_append(char *path, const char *component)
{
    size_t used = strlen(path);

    if (used + strlen(component) + 2 > PLACE_PATH)
        return DOOR_BAD_NAME;
    sprintf(path + used, "%s%s", used ? "/" : "", component);
    return DOOR_OK;
}

/* Each component is one, and none is too long. */
static bool valid(const char *path)
{
    char component[PLACE_COMPONENT];

    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 0 || n >= sizeof(component))
            return false;
        memcpy(component, path, n);
        component[n] = 0;
        if (!names_valid(component))
            return false;
        path += path[n] ? n + 1 : n;
    }
    return true;
}

/* The host's name of the directory of `length` bytes, whose letter case is not the host's; it is opened. */
static int find_directory(int root, struct indexes *index, const char *path, size_t length, struct place *place)
{
    char component[PLACE_COMPONENT], found[PLACE_COMPONENT];
    const char *end = path + length;
    int error = DOOR_OK;

    place->dir = place_open(root, "", O_RDONLY | O_DIRECTORY, 0);
    while (!error && path < end) {
        size_t n = strcspn(path, "/");
        int dir = place->dir;

        memcpy(component, path, n);
        component[n] = 0;
        path += n + 1;
        if (dir < 0)
            return place_error(errno);
        if (!place_find(index, dir, component, found, &place->st))
            return DOOR_NOT_FOUND;
        if (!S_ISDIR(place->st.st_mode))
            return DOOR_NOT_DIRECTORY;
        error = place_append(place->parent, found);
        place->dir = place_open(dir, found, O_RDONLY | O_DIRECTORY, 0);
        close(dir);
    }
    return error || place->dir >= 0 ? error : place_error(errno);
}

/* The directory of the last component. Most paths are as the host has them. */
static int open_directory(int root, struct indexes *index, const char *path, size_t length, struct place *place)
{
    memcpy(place->parent, path, length);
    place->parent[length] = 0;
    place->dir = place_open(root, place->parent, O_RDONLY | O_DIRECTORY, 0);
    if (place->dir >= 0)
        return DOOR_OK;
    place->parent[0] = 0;
    return find_directory(root, index, path, length, place);
}

int place_resolve(int root, struct indexes *index, const char *path, struct place *place)
{
    const char *last = strrchr(path, '/');
    char found[PLACE_COMPONENT];
    int error;

    memset(place, 0, sizeof(*place));
    place->dir = -1;
    place->name = "";
    if (strlen(path) >= PLACE_PATH || !valid(path))
        return DOOR_BAD_NAME;
    if (!*path) {
        place->exists = true;
        return fstat(root, &place->st) < 0 ? place_error(errno) : DOOR_OK;
    }
    error = open_directory(root, index, path, last ? (size_t)(last - path) : 0, place);
    last = last ? last + 1 : path;
    if (!error) {
        place->exists = place_find(index, place->dir, last, found, &place->st);
        strcpy(place->path, place->parent);
        error = place_append(place->path, place->exists ? found : last);
        place->name = strrchr(place->path, '/') ? strrchr(place->path, '/') + 1 : place->path;
    }
    if (error)
        place_done(place);
    return error;
}

void place_done(struct place *place)
{
    if (place->dir >= 0)
        close(place->dir);
    place->dir = -1;
}

int place_open_found(int root, const struct place *place, int flags, mode_t mode)
{
    return place_open(place->dir >= 0 ? place->dir : root, place->name, flags, mode);
}
