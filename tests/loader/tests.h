/* What the loader's tests and the fuzzer share: a file in memory, and a mapper that only takes notes. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "pe.h"
#include "patch.h"

static inline uint8_t *file_read(const char *name, size_t *size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", IMAGES, name);
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*size);
    if (!bytes || fread(bytes, 1, *size, f) != *size)
        exit(1);
    fclose(f);
    return bytes;
}

static inline struct pe_headers *file_headers(uint8_t *bytes)
{
    return (void *)(bytes + pe_get32(bytes + 0x3c));
}

static inline struct pe_section *file_sections(uint8_t *bytes)
{
    return (void *)((uint8_t *)file_headers(bytes) + PE_FILE_HEADER_BYTES + file_headers(bytes)->optional_bytes);
}

/* Same value for the same import in every run; never 0. */
static inline uint64_t value_of(const char *name, uint32_t ordinal)
{
    uint64_t hash = 1469598103934665603ull + ordinal;
    for (; name && *name; name++)
        hash = (hash ^ (uint8_t)*name) * 1099511628211ull;
    return hash | 1;
}

static inline uint64_t note_bind(void *context, const char *module, const char *name, uint32_t ordinal)
{
    return value_of(name, ordinal);
}

/* Protections by page, for up to 256 pages from `base`. */
struct notes {
    uint64_t base;
    uint8_t protection[256];
};

static inline bool note_protect(void *context, uint64_t va, uint64_t bytes, uint32_t protection)
{
    struct notes *notes = context;
    for (uint64_t page = (va - notes->base) / DOOR_PAGE; bytes; bytes -= DOOR_PAGE, page++)
        if (page < 256)
            notes->protection[page] = (uint8_t)protection;
    return true;
}

#define BUILT_TEXT 0x1000u

/* A driver file with these bytes as its .text and an empty page of .rdata behind it. */
static inline uint8_t *file_build(size_t *size, const void *code, uint32_t code_bytes)
{
    uint32_t text = (code_bytes + 0xfff) & ~0xfffu;
    uint8_t *bytes = calloc(1, *size = 0x400 + text + 0x1000);
    memcpy(bytes, "MZ", 2);
    pe_put32(bytes + 0x3c, 0x80);
    struct pe_headers *h = file_headers(bytes);
    *h = (struct pe_headers){.signature = 0x4550, .machine = 0x8664, .section_count = 2, .characteristics = 2,
                             .optional_bytes = 240, .magic = 0x20b, .image_base = 0x140000000,
                             .section_alignment = 0x1000, .file_alignment = 0x200,
                             .image_bytes = BUILT_TEXT + text + 0x1000, .header_bytes = 0x400, .subsystem = 1,
                             .directory_count = 16};
    struct pe_section *s = file_sections(bytes);
    s[0] = (struct pe_section){".text", code_bytes, BUILT_TEXT, text, 0x400, .characteristics = 0x60000020};
    s[1] = (struct pe_section){".rdata", 0x1000, BUILT_TEXT + text, 0x1000, 0x400 + text, .characteristics = 0x40000040};
    memcpy(bytes + 0x400, code, code_bytes);
    return bytes;
}
