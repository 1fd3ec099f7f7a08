/* See registry.h: files, texts and hives. Hives are read by hivex. */
#include <errno.h>
#include <hivex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "registry/registry.h"

enum { DEPTH_MOST = 500 };

struct hive {
    hive_h *h;
    struct registry_stream *out;
    char key[8192]; /* of the node being read, UTF-8 */
    char *why;
};

static bool tell(char why[256], const char *path, const char *what)
{
    snprintf(why, 256, "%.160s: %.80s", path, what);
    return false;
}

/* ---- Hives ------------------------------------------------------------------------------------------------------- */

static bool hive_value(struct hive *v, hive_value_h value)
{
    hive_type type;
    size_t bytes = 0;
    char *name = hivex_value_key(v->h, value), *data = hivex_value_value(v->h, value, &type, &bytes);
    bool good = name && data && registry_add_text(v->out, DOOR_REGISTRY_SET, v->key, name, (uint32_t)type, data, bytes);
    free(name);
    free(data);
    return good;
}

static bool hive_node(struct hive *v, hive_node_h node, unsigned depth)
{
    size_t length = strlen(v->key);
    hive_value_h *values = hivex_node_values(v->h, node);
    hive_node_h *children = hivex_node_children(v->h, node);
    bool good = values && children && depth < DEPTH_MOST &&
                registry_add_text(v->out, DOOR_REGISTRY_CREATE, v->key, NULL, 0, NULL, 0);
    for (size_t i = 0; good && values[i]; i++)
        good = hive_value(v, values[i]);
    for (size_t i = 0; good && children[i]; i++) {
        char *name = hivex_node_name(v->h, children[i]);
        int n = name ? snprintf(v->key + length, sizeof v->key - length, "\\%s", name) : -1;
        good = n > 0 && (size_t)n < sizeof v->key - length && hive_node(v, children[i], depth + 1);
        v->key[length] = 0;
        free(name);
    }
    free(values);
    free(children);
    return good;
}

bool registry_hive(struct registry_stream *s, const char *path, const char *key, char why[256])
{
    struct hive *v = calloc(1, sizeof *v);
    if (!v)
        return tell(why, path, "no memory");
    v->out = s;
    snprintf(v->key, sizeof v->key, "%s", key);
    v->h = hivex_open(path, 0);
    bool good = v->h != NULL;
    if (!good)
        tell(why, path, errno == ENOTSUP || errno == EINVAL ? "a damaged hive" : strerror(errno));
    hive_node_h root = good ? hivex_root(v->h) : 0;
    if (good && !(good = root && hive_node(v, root, 0)))
        tell(why, path, "a damaged hive, or more than a machine takes");
    if (v->h)
        hivex_close(v->h);
    free(v);
    return good;
}

/* ---- What was given ---------------------------------------------------------------------------------------------- */

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

bool registry_read(struct registry_stream *s, const char *argument, char why[256])
{
    char key[1024] = "";
    const char *path = argument, *equals = strchr(argument, '=');
    size_t size;
    if (equals && given_key(argument, equals, key, sizeof key))
        path = equals + 1;
    uint8_t *bytes = read_all(path, &size, why);
    if (!bytes)
        return false;
    bool hive = size >= 4 && !memcmp(bytes, "regf", 4), good;
    char inner[256] = "";
    if (hive) {
        const char *where = *key ? key : usual_key(path);
        good = where ? registry_hive(s, path, where, why)
                     : tell(why, path, "a hive: say where it belongs, HKLM\\NAME=FILE");
    } else if (!(good = registry_parse(s, bytes, size, inner)))
        snprintf(why, 256, "%.100s: %.150s", path, inner);
    free(bytes);
    return good;
}
