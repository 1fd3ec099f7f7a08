/* See cc_clang.h. */
#define _GNU_SOURCE /* memfd_create */
#include "cli/cc_clang.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NEWEST_VERSION = 40, MOST_FILES = 20000 };

static bool on_path(const char *program)
{
    const char *path = getenv("PATH");
    char probe[4300];
    while (path && *path) {
        size_t bytes = strcspn(path, ":");
        snprintf(probe, sizeof probe, "%.*s/%s", (int)bytes, path, program);
        if (!access(probe, X_OK))
            return true;
        path += bytes + (path[bytes] == ':');
    }
    return false;
}

const char *clang_choose(void)
{
    static char name[16];
    for (int version = NEWEST_VERSION; version >= CLANG_GUARDS_ACCESSES; version--) {
        snprintf(name, sizeof name, "clang-%d", version);
        if (on_path(name))
            return name;
    }
    return "clang";
}

int clang_version(const char *program)
{
    char command[64], said[64] = "";
    snprintf(command, sizeof command, "%s -dumpversion 2>/dev/null", program);
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return 0;
    if (!fgets(said, sizeof said, pipe))
        said[0] = 0;
    pclose(pipe);
    return atoi(said);
}

struct overlay {
    FILE *text;
    int file;
    unsigned folders, files;
    char path[32];
};

struct overlay *overlay_new(void)
{
    struct overlay *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->file = memfd_create("headers", 0);
    o->text = o->file < 0 ? NULL : fdopen(o->file, "w");
    if (!o->text) {
        free(o);
        return NULL;
    }
    /* The names that a source asks for stay what debugging information and __FILE__ say. */
    fputs("{\"version\":0,\"case-sensitive\":\"false\",\"use-external-names\":\"false\",\"roots\":[", o->text);
    return o;
}

/* JSON's form of a name. */
static void put(FILE *out, const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            fprintf(out, "\\u%04x", *text);
        else
            fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

void overlay_add(struct overlay *o, const char *folder, int depth)
{
    char place[4096], path[4400];
    struct stat about;
    if (!o || !realpath(folder, place))
        return;
    DIR *dir = opendir(place);
    if (!dir)
        return;
    fprintf(o->text, "%s{\"type\":\"directory\",\"name\":\"", o->folders++ ? "," : "");
    put(o->text, place);
    fputs("\",\"contents\":[", o->text);
    const struct dirent *entry;
    for (unsigned here = 0; (entry = readdir(dir)) && o->files < MOST_FILES;) {
        snprintf(path, sizeof path, "%s/%s", place, entry->d_name);
        if (stat(path, &about) || !S_ISREG(about.st_mode))
            continue;
        o->files++;
        fprintf(o->text, "%s{\"type\":\"file\",\"name\":\"", here++ ? "," : "");
        put(o->text, entry->d_name);
        fputs("\",\"external-contents\":\"", o->text);
        put(o->text, path);
        fputs("\"}", o->text);
    }
    fputs("]}", o->text);
    rewinddir(dir);
    while (depth > 0 && (entry = readdir(dir)) && o->files < MOST_FILES) {
        snprintf(path, sizeof path, "%s/%s", place, entry->d_name);
        if (entry->d_name[0] != '.' && !stat(path, &about) && S_ISDIR(about.st_mode))
            overlay_add(o, path, depth - 1);
    }
    closedir(dir);
}

const char *overlay_path(struct overlay *o)
{
    if (!o || fputs("]}\n", o->text) < 0 || fflush(o->text))
        return NULL;
    snprintf(o->path, sizeof o->path, "/proc/self/fd/%d", o->file);
    return o->path;
}
