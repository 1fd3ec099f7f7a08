/* The least of a loader, for as long as host/loader has none. */
#include "loader/image.h"
#include <string.h>

static uint16_t r16(const uint8_t *p){ uint16_t v; memcpy(&v,p,2); return v; }
static uint32_t r32(const uint8_t *p){ uint32_t v; memcpy(&v,p,4); return v; }
static uint64_t r64(const uint8_t *p){ uint64_t v; memcpy(&v,p,8); return v; }

bool image_parse(struct image_file *f, const void *bytes, size_t size)
{
    const uint8_t *b = bytes, *pe, *o, *s;
    memset(f, 0, sizeof(*f));
    f->bytes = b; f->size = size;
    pe = b + r32(b + 0x3c); o = pe + 24;
    f->info.bytes = r32(o + 56); f->info.entry = r32(o + 16); f->info.preferred_base = r64(o + 24);
    f->header_bytes = r32(o + 60);
    f->export_dir.rva = r32(o + 112); f->import_dir.rva = r32(o + 120); f->reloc_dir.rva = r32(o + 152); f->reloc_dir.bytes = r32(o + 156);
    f->info.section_count = r16(pe + 6);
    s = o + r16(pe + 20);
    for (uint32_t i = 0; i < f->info.section_count; i++, s += 40) {
        memcpy(f->info.section[i].name, s, 8);
        f->info.section[i].rva = r32(s + 12); f->info.section[i].bytes = (r32(s + 8) + 4095) & ~4095u;
        f->info.section[i].characteristics = r32(s + 36);
    }
    return true;
}

uint32_t image_export_find(const void *base, uint32_t bytes, const char *name, uint32_t ordinal, const char **forwarder)
{
    const uint8_t *b = base, *o = b + r32(b + 0x3c) + 24, *d;
    uint32_t rva = r32(o + 112), size = r32(o + 116);
    *forwarder = NULL;
    if (!rva || !name) return 0;
    d = b + rva;
    for (uint32_t i = 0; i < r32(d + 24); i++) {
        if (strcmp((const char *)b + r32(b + r32(d + 32) + 4 * i), name)) continue;
        uint32_t f = r32(b + r32(d + 28) + 4 * r16(b + r32(d + 36) + 2 * i));
        if (f >= rva && f < rva + size) { *forwarder = (const char *)b + f; return 0; }
        return f;
    }
    return 0;
}

bool image_map(const struct image_file *f, uint64_t va, const struct image_mapper *m, const char **reason)
{
    uint8_t *b = (uint8_t *)va;
    const uint8_t *s = f->bytes + r32(f->bytes + 0x3c) + 24 + r16(f->bytes + r32(f->bytes + 0x3c) + 20);
    memcpy(b, f->bytes, f->header_bytes);
    for (uint32_t i = 0; i < f->info.section_count; i++, s += 40)
        memcpy(b + r32(s + 12), f->bytes + r32(s + 20), r32(s + 16) < r32(s + 8) ? r32(s + 16) : r32(s + 8));
    for (uint32_t at = 0; f->reloc_dir.rva && at < f->reloc_dir.bytes;) {
        const uint8_t *block = b + f->reloc_dir.rva + at;
        for (uint32_t i = 8; i < r32(block + 4); i += 2)
            if (r16(block + i) >> 12 == 10) {
                uint8_t *p = b + r32(block) + (r16(block + i) & 0xfff);
                uint64_t v = r64(p) + va - f->info.preferred_base;
                memcpy(p, &v, 8);
            }
        at += r32(block + 4);
    }
    for (const uint8_t *d = b + f->import_dir.rva; f->import_dir.rva && r32(d + 12); d += 20)
        for (uint32_t i = 0; r64(b + r32(d + 16) + 8 * i); i++) {
            uint64_t v = m->bind(m->context, (char *)b + r32(d + 12), (char *)b + r64(b + r32(d) + 8 * i) + 2, 0);
            memcpy(b + r32(d + 16) + 8 * i, &v, 8);
        }
    for (uint32_t i = 0; i < f->info.section_count; i++) {
        uint32_t c = f->info.section[i].characteristics;
        m->protect(m->context, va + f->info.section[i].rva, f->info.section[i].bytes,
                   (c >> 30 & 1 ? DOOR_READ : 0) | (c >> 31 ? DOOR_WRITE : 0) | (c >> 29 & 1 ? DOOR_EXECUTE : 0));
    }
    return true;
}
