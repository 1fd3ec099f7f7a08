/*
 * The export table of an image that lies mapped in memory.
 *
 * The image may have been written over by a clumsy driver since it was loaded, so every offset is checked against the
 * image's size at each call, and nothing is remembered. Names are sorted, as the format demands and Windows relies on:
 * the look-up halves.
 */
#include "pe.h"

struct exports {
    const uint8_t *base;
    uint32_t bytes;
    uint32_t rva, end; /* of the directory: functions that point into it are forwarders */
    struct pe_export dir;
};

static const void *inside(const struct exports *e, uint64_t rva, uint64_t bytes)
{
    return rva <= e->bytes && bytes <= e->bytes - rva ? e->base + rva : NULL;
}

static const char *string_inside(const struct exports *e, uint32_t rva)
{
    return rva < e->bytes && memchr(e->base + rva, 0, e->bytes - rva) ? (const char *)e->base + rva : NULL;
}

static bool exports_open(struct exports *e, const void *base, uint32_t bytes)
{
    *e = (struct exports){.base = base, .bytes = bytes};
    const uint8_t *dos = inside(e, 0, 0x40);
    if (!dos)
        return false;
    const struct pe_headers *h = inside(e, pe_get32(dos + 0x3c), sizeof *h);
    if (!h || h->directory_count <= PE_DIR_EXPORT || h->magic != PE_MAGIC_64)
        return false;

    struct pe_directory directory = h->directory[PE_DIR_EXPORT];
    const struct pe_export *dir = inside(e, directory.rva, sizeof *dir);
    if (directory.rva == 0 || !dir || !inside(e, directory.rva, directory.bytes))
        return false;
    e->rva = directory.rva;
    e->end = directory.rva + directory.bytes;
    e->dir = *dir;
    return inside(e, dir->functions, 4ull * dir->function_count) && inside(e, dir->names, 4ull * dir->name_count) &&
           inside(e, dir->ordinals, 2ull * dir->name_count);
}

static const char *name_of(const struct exports *e, uint32_t index)
{
    return string_inside(e, pe_get32(e->base + e->dir.names + 4 * index));
}

/* Rva of a function by its index, or 0. */
static uint32_t function_of(const struct exports *e, uint32_t index, const char **forwarder)
{
    if (index >= e->dir.function_count)
        return 0;
    uint32_t rva = pe_get32(e->base + e->dir.functions + 4 * index);
    if (rva >= e->bytes)
        return 0;
    if (rva >= e->rva && rva < e->end) {
        const char *text = string_inside(e, rva);
        if (!text || !forwarder)
            return 0;
        *forwarder = text;
    }
    return rva;
}

uint32_t image_export_find(const void *base, uint32_t bytes, const char *name, uint32_t ordinal, const char **forwarder)
{
    struct exports e;
    if (forwarder)
        *forwarder = NULL;
    if (!exports_open(&e, base, bytes))
        return 0;
    if (!name)
        return ordinal < e.dir.ordinal_base ? 0 : function_of(&e, ordinal - e.dir.ordinal_base, forwarder);

    uint32_t low = 0, high = e.dir.name_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *text = name_of(&e, middle);
        int order = text ? strcmp(name, text) : -1;
        if (order == 0)
            return function_of(&e, pe_get16(e.base + e.dir.ordinals + 2 * middle), forwarder);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

bool image_export_next(const void *base, uint32_t bytes, uint32_t *index, const char **name, uint32_t *rva)
{
    struct exports e;
    const char *forwarder;
    if (!exports_open(&e, base, bytes))
        return false;
    while (*index < e.dir.name_count) {
        uint32_t i = (*index)++;
        *name = name_of(&e, i);
        *rva = function_of(&e, pe_get16(e.base + e.dir.ordinals + 2 * i), &forwarder);
        if (*name && *rva)
            return true;
    }
    return false;
}
