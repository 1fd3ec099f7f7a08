/* See input.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/input.h"

static bool complain(const char *path, const char *what)
{
    fprintf(stderr, "irqlab: %s: %s\n", path, what);
    return false;
}

static bool fill(int fd, struct input *in, size_t bytes)
{
    in->bytes = malloc(bytes + 1);
    if (!in->bytes) {
        errno = ENOMEM;
        return false;
    }
    in->size = 0;
    while (in->size < bytes) {
        ssize_t got = read(fd, in->bytes + in->size, bytes - in->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(in->bytes);
            return false;
        }
        if (!got) /* it became shorter meanwhile */
            break;
        in->size += (size_t)got;
    }
    in->bytes[in->size] = 0;
    return true;
}

bool input_read(const char *path, const char *what, size_t limit, struct input *in)
{
    struct stat st;
    char text[160];
    /* Not blocking: a named pipe must not make us wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return complain(path, strerror(errno));
    *text = 0;
    if (fstat(fd, &st))
        snprintf(text, sizeof text, "%s", strerror(errno));
    else if (S_ISDIR(st.st_mode))
        snprintf(text, sizeof text, "is a directory, not a %s", what);
    else if (!S_ISREG(st.st_mode))
        snprintf(text, sizeof text, "is not a regular file");
    else if (st.st_size == 0)
        snprintf(text, sizeof text, "is empty");
    else if ((unsigned long long)st.st_size > limit)
        snprintf(text, sizeof text, "has %llu bytes, more than a %s may have (%zu)", (unsigned long long)st.st_size,
                 what, limit);
    else if (!fill(fd, in, (size_t)st.st_size))
        snprintf(text, sizeof text, "%s", strerror(errno));
    close(fd);
    return *text ? complain(path, text) : true;
}

bool input_directory(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return complain(path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return complain(path, "is not a directory");
    return access(path, R_OK | X_OK) == 0 || complain(path, strerror(errno));
}

FILE *input_create(const char *path)
{
    FILE *file = fopen(path, "we");
    if (!file)
        complain(path, strerror(errno));
    return file;
}

bool input_kernel_dir(char *path, size_t room)
{
    static const char *const places[] = {"nt", "../lib/irqlab"};
    char self[4096], kernel[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(path, room, "%s/%s", self, places[i]);
        snprintf(kernel, sizeof kernel, "%s/ntoskrnl.exe", path);
        if (!access(kernel, R_OK))
            return true;
    }
    snprintf(path, room, "%s/%s", self, places[0]);
    return false;
}
