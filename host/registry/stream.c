/* See registry.h: streams. */
#include <stdlib.h>
#include <string.h>
#include "registry/registry.h"
#include "registry/utf.h"

bool registry_append(struct registry_stream *s, const void *bytes, size_t count)
{
    if (count > REGISTRY_MOST - s->size)
        return false;
    if (s->size + count > s->room) {
        size_t room = s->room * 2 > s->size + count ? s->room * 2 : s->size + count + 4096;
        uint8_t *more = realloc(s->bytes, room);
        if (!more)
            return false;
        s->bytes = more;
        s->room = room;
    }
    if (count)
        memcpy(s->bytes + s->size, bytes, count);
    s->size += count;
    return true;
}

bool registry_add(struct registry_stream *s, enum door_registry_op op, const uint16_t *key, size_t key_units,
                  const uint16_t *name, size_t name_units, uint32_t type, const void *data, size_t bytes)
{
    static const uint8_t zeros[8];
    struct door_registry header = {.op = (uint16_t)op,
                                   .key_bytes = (uint16_t)(key_units * 2),
                                   .name_bytes = (uint16_t)(name_units * 2),
                                   .type = type,
                                   .data_bytes = (uint32_t)bytes};
    if (key_units > 0x7ffe || name_units > 0x7ffe || bytes > REGISTRY_MOST)
        return false;
    return registry_append(s, &header, sizeof header) && registry_append(s, key, key_units * 2) &&
           registry_append(s, name, name_units * 2) && registry_append(s, data, bytes) &&
           registry_append(s, zeros, -s->size & 7);
}

bool registry_add_text(struct registry_stream *s, enum door_registry_op op, const char *key, const char *name,
                       uint32_t type, const void *data, size_t bytes)
{
    size_t keys = strlen(key), names = name ? strlen(name) : 0, key_units = 0, name_units = 0;
    uint16_t *wide = malloc((keys + names + 2) * sizeof *wide);
    bool good = wide && utf_from8(wide, &key_units, (const uint8_t *)key, keys) &&
                utf_from8(wide + key_units, &name_units, (const uint8_t *)(name ? name : ""), names) &&
                registry_add(s, op, wide, key_units, wide + key_units, name_units, type, data, bytes);
    free(wide);
    return good;
}

bool registry_next(const struct registry_stream *s, size_t *at, struct registry_record *record)
{
    if (s->size - *at < sizeof record->header)
        return false;
    const uint8_t *here = s->bytes + *at;
    memcpy(&record->header, here, sizeof record->header);
    size_t need = sizeof record->header + record->header.key_bytes + record->header.name_bytes +
                  (size_t)record->header.data_bytes;
    if (need > s->size - *at || record->header.key_bytes % 2 || record->header.name_bytes % 2)
        return false;
    record->key = (const uint16_t *)(here + sizeof record->header);
    record->name = record->key + record->header.key_bytes / 2;
    record->data = (const uint8_t *)(record->name + record->header.name_bytes / 2);
    need += -need & 7;
    *at += need < s->size - *at ? need : s->size - *at;
    return true;
}
