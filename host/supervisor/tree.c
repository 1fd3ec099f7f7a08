/*
 * Whole trees: a copy of a volume, for machines whose changes must not stay, and removal. Directories and regular files
 * only are copied, as machines see no others. Whether a file may be written is kept, nothing else of its attributes.
 */
#define _GNU_SOURCE
#include "supervisor/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy_file(int from, int to, const char *name, mode_t mode)
{
    int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* it may have become a pipe */
    int out = in >= 0 ? openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode & 0700) | 0400) : -1;
    ssize_t n = out >= 0 ? 1 : -1;
    int error;

    while (n > 0)
        n = sendfile(out, in, NULL, 1 << 30);
    error = n < 0 ? errno : 0;
    if (out >= 0)
        close(out);
    if (in >= 0)
        close(in);
    return error;
}

static int copy_below(int from, int to)
{
    DIR *stream = fdopendir(from);
    struct dirent *entry;
    int error = stream ? 0 : errno;

    while (stream && !error && (entry = readdir(stream))) {
        struct stat st;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISREG(st.st_mode)) {
            error = copy_file(dirfd(stream), to, entry->d_name, st.st_mode);
        } else if (S_ISDIR(st.st_mode)) {
            int in = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), out = -1;
            if (in >= 0 && mkdirat(to, entry->d_name, 0700) == 0)
                out = openat(to, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            error = out >= 0 ? copy_below(in, out) : errno;
            if (out >= 0)
                close(out);
            else if (in >= 0)
                close(in);
        }
    }
    if (stream)
        closedir(stream);
    else
        close(from);
    return error;
}

int volume_copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), out = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = in < 0 || out < 0 ? errno : copy_below(in, out);

    if (out >= 0)
        close(out);
    if (out < 0 && in >= 0)
        close(in);
    return error;
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
