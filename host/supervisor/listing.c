/* The names of a directory in order; see listing.h. */
#define _GNU_SOURCE
#include "supervisor/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "supervisor/names.h"
#include "supervisor/place.h"

void listing_free(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->name[i]);
    free(l->name);
    *l = (struct listing){0};
}

static int by_name(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = names_compare(x, y);

    return order ? order : strcmp(x, y);
}

int listing_read(struct listing *l, int dir)
{
    int copy = place_open(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    struct stat st;
    size_t kept = 0, room = 0;

    listing_free(l);
    if (!stream)
        return place_error(errno);
    while ((entry = readdir(stream))) {
        if (!place_shown(dir, entry->d_name, &st))
            continue;
        if (l->count == room) {
            void *more = realloc(l->name, (room = 2 * room + 64) * sizeof(*l->name));
            if (!more)
                break;
            l->name = more;
        }
        if ((l->name[l->count] = strdup(entry->d_name)))
            l->count++;
    }
    closedir(stream);
    if (l->count)
        qsort(l->name, l->count, sizeof(*l->name), by_name);
    for (size_t i = 0; i < l->count; i++) {
        if (kept && names_compare(l->name[kept - 1], l->name[i]) == 0)
            free(l->name[i]);
        else
            l->name[kept++] = l->name[i];
    }
    l->count = kept;
    return DOOR_OK;
}

size_t listing_behind(const struct listing *l, const char *name)
{
    size_t low = 0, high = l->count;

    while (*name && low < high) {
        size_t middle = (low + high) / 2;
        if (names_compare(l->name[middle], name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
