/* See collect.h. */
#define _GNU_SOURCE
#include "test/collect.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "cli/input.h"
#include "loader/image.h"

enum { DRIVER_BYTES = 256 << 20, DEPTH = 32 };

static bool ends(const char *text, const char *with)
{
    size_t a = strlen(text), b = strlen(with);
    return a > b && !strcasecmp(text + a - b, with);
}

static bool no_memory(void)
{
    fputs("irqlab: test: out of memory\n", stderr);
    return false;
}

/* A test has one name, whether its path was typed or found in a folder: --last-failed finds it again. */
static const char *plain(const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2 + strspn(path + 2, "/");
    return path;
}

static bool add_test(struct collection *c, const char *path, const char *routine)
{
    struct test *more = realloc(c->test, (c->tests + 1) * sizeof *more), *t;
    if (!more)
        return no_memory();
    c->test = more;
    t = &more[c->tests];
    memset(t, 0, sizeof *t);
    t->path = strdup(path);
    t->routine = routine ? strdup(routine) : NULL;
    if (!t->path || asprintf(&t->name, "%s%s%s", plain(path), routine ? "!" : "", routine ? routine : "") < 0)
        return no_memory();
    c->tests++;
    return true;
}

/* The image as it lies in memory, as far as the file has data. */
static uint8_t *spread(const struct image_file *file)
{
    uint8_t *image = calloc(1, file->info.bytes);
    for (uint32_t at = 0, bytes; image && at < file->info.bytes; at += bytes) {
        const void *data = NULL;
        for (bytes = 512; bytes; bytes /= 2)
            if (bytes <= file->info.bytes - at && (data = image_at(file, at, bytes)))
                break;
        if (data)
            memcpy(image + at, data, bytes);
        bytes = data ? bytes : 1;
    }
    return image;
}

static bool is_test(const char *name)
{
    return !strncmp(name, "Test", 4) &&
           (name[4] == '_' || (name[4] >= 'A' && name[4] <= 'Z') || (name[4] >= '0' && name[4] <= '9'));
}

/* The tests that a driver exports. *found: how many; -1 = the file is no image. */
static bool add_exported(struct collection *c, const char *path, const struct input *in, int *found)
{
    struct image_file *file = calloc(1, sizeof *file);
    bool good = file != NULL;
    *found = -1;
    if (good && image_parse(file, in->bytes, in->size)) {
        uint8_t *image = spread(file);
        uint32_t index = 0, rva;
        const char *name;
        *found = 0;
        good = image != NULL;
        while (good && image_export_next(image, file->info.bytes, &index, &name, &rva))
            if (is_test(name)) {
                good = add_test(c, path, name);
                ++*found;
            }
        free(image);
    }
    free(file);
    return good || no_memory();
}

static bool add_driver(struct collection *c, const char *path, bool named)
{
    struct input in;
    int found;
    if (!input_read(path, "driver image", DRIVER_BYTES, &in))
        return false;
    bool good = add_exported(c, path, &in, &found);
    free(in.bytes);
    if (!good || !named || found > 0)
        return good;
    if (found < 0) {
        fprintf(stderr, "irqlab: test: %s: no driver image\n", path);
        return false;
    }
    char **more = realloc(c->driver, (c->drivers + 1) * sizeof *more);
    if (!more || !(more[c->drivers] = strdup(path)))
        return no_memory();
    c->driver = more;
    c->drivers++;
    return true;
}

static bool add_folder(struct collection *c, const char *path, int depth)
{
    struct dirent **entry;
    int count = scandir(path, &entry, NULL, alphasort);
    bool good = count >= 0 && depth < DEPTH;
    if (!good)
        fprintf(stderr, "irqlab: test: %s: %s\n", path,
                count < 0 ? strerror(errno) : "folders within folders without end");
    for (int i = 0; i < count; i++) {
        char *inside = NULL;
        struct stat st;
        if (good && entry[i]->d_name[0] != '.') {
            good = asprintf(&inside, "%s%s%s", path, ends(path, "/") ? "" : "/", entry[i]->d_name) >= 0 || no_memory();
            if (good && !lstat(inside, &st)) {
                if (S_ISDIR(st.st_mode))
                    good = add_folder(c, inside, depth + 1);
                else if (S_ISREG(st.st_mode) && ends(inside, ".lua"))
                    good = add_test(c, inside, NULL);
                else if (S_ISREG(st.st_mode) && ends(inside, ".sys"))
                    good = add_driver(c, inside, false);
            }
            free(inside);
        }
        free(entry[i]);
    }
    if (count >= 0)
        free(entry);
    return good;
}

bool collect(struct collection *c, int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        struct stat st;
        bool good;
        if (stat(paths[i], &st)) {
            fprintf(stderr, "irqlab: test: %s: %s\n", paths[i], strerror(errno));
            return false;
        }
        if (S_ISDIR(st.st_mode))
            good = add_folder(c, paths[i], 0);
        else if (ends(paths[i], ".lua"))
            good = add_test(c, paths[i], NULL);
        else
            good = add_driver(c, paths[i], true);
        if (!good)
            return false;
    }
    return true;
}

bool collect_repeat(struct collection *c, unsigned times)
{
    struct test *all = calloc(c->tests * times + 1, sizeof *all);
    if (!all)
        return no_memory();
    for (size_t i = 0; i < c->tests; i++)
        for (unsigned n = 0; n < times; n++) {
            struct test *t = &all[i * times + n];
            t->path = strdup(c->test[i].path);
            t->routine = c->test[i].routine ? strdup(c->test[i].routine) : NULL;
            t->name = strdup(c->test[i].name);
            t->seed = n;
            if (!t->path || !t->name)
                return no_memory();
        }
    size_t tests = c->tests * times;
    char **driver = c->driver;
    size_t drivers = c->drivers;
    c->driver = NULL;
    c->drivers = 0;
    collect_free(c);
    *c = (struct collection){all, tests, driver, drivers};
    return true;
}

void collect_free(struct collection *c)
{
    for (size_t i = 0; i < c->tests; i++) {
        free(c->test[i].name);
        free(c->test[i].path);
        free(c->test[i].routine);
        free(c->test[i].output);
    }
    for (size_t i = 0; i < c->drivers; i++)
        free(c->driver[i]);
    free(c->test);
    free(c->driver);
    *c = (struct collection){0};
}
