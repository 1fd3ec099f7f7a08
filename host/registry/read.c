/* See registry.h: files and where they belong. What a hive's bytes mean is the machine's to say (nt/cm/hive.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "registry/registry.h"

static bool tell(char why[256], const char *path, const char *what)
{
    snprintf(why, 256, "%.160s: %.80s", path, what);
    return false;
}

static uint8_t *read_all(const char *path, size_t *size, char why[256])
{
    FILE *in = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (!in) {
        tell(why, path, strerror(errno));
        return NULL;
    }
    size_t room = 0;
    *size = 0;
    for (size_t n = 1; n && *size <= REGISTRY_MOST;) {
        if (*size == room) {
            uint8_t *more = realloc(bytes, room += room + 65536);
            if (!more)
                break;
            bytes = more;
        }
        n = fread(bytes + *size, 1, room - *size, in);
        *size += n;
    }
    bool good = !ferror(in) && feof(in) && *size <= REGISTRY_MOST;
    if (!good)
        tell(why, path, ferror(in) ? strerror(errno) : "too large for a registry");
    fclose(in);
    if (!good) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

/* Where a hive belongs by its file's name; NULL = it does not say. */
static const char *usual_key(const char *path)
{
    static const struct {
        const char *file, *key;
    } known[] = {{"SYSTEM", "MACHINE\\SYSTEM"}, {"SOFTWARE", "MACHINE\\SOFTWARE"},
                 {"SAM", "MACHINE\\SAM"},       {"SECURITY", "MACHINE\\SECURITY"},
                 {"DEFAULT", "USER\\.DEFAULT"}, {"NTUSER.DAT", "USER\\S-1-5-18"}};
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(base, known[i].file))
            return known[i].key;
    return NULL;
}

/* "HKLM\X=file" as a key of ours. */
static bool given_key(const char *argument, const char *equals, char *key, size_t room)
{
    static const char *const roots[][2] = {
        {"HKEY_LOCAL_MACHINE", "MACHINE"}, {"HKEY_USERS", "USER"}, {"HKLM", "MACHINE"}, {"HKU", "USER"}};
    for (size_t i = 0; i < 4; i++) {
        size_t n = strlen(roots[i][0]);
        if ((size_t)(equals - argument) > n && !strncasecmp(argument, roots[i][0], n) && argument[n] == '\\')
            return snprintf(key, room, "%s%.*s", roots[i][1], (int)(equals - argument - (ptrdiff_t)n), argument + n) <
                   (int)room;
    }
    return false;
}

const char *registry_place(const char *argument, char key[REGISTRY_KEY_ROOM])
{
    const char *equals = strchr(argument, '='), *usual = usual_key(argument);
    *key = 0;
    if (equals && given_key(argument, equals, key, REGISTRY_KEY_ROOM))
        return equals + 1;
    if (usual)
        snprintf(key, REGISTRY_KEY_ROOM, "%s", usual);
    return argument;
}

bool registry_read(struct registry_stream *s, const char *argument, char why[256])
{
    char key[REGISTRY_KEY_ROOM];
    const char *path = registry_place(argument, key);
    size_t size;
    uint8_t *bytes = read_all(path, &size, why);
    if (!bytes)
        return false;
    bool hive = size >= 4 && !memcmp(bytes, "regf", 4), good;
    char inner[256] = "";
    if (hive) {
        good = *key ? registry_add_text(s, DOOR_REGISTRY_LOAD, key, NULL, 0, bytes, size)
                    : tell(why, path, "a hive: say where it belongs, HKLM\\NAME=FILE");
    } else if (!(good = registry_parse(s, bytes, size, inner)))
        snprintf(why, 256, "%.100s: %.150s", path, inner);
    free(bytes);
    return good;
}
