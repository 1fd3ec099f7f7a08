/*
 * PE32+ x86-64 images: parse, list imports, map. Works on untrusted bytes: every offset is checked before it is used,
 * nothing is allocated, nothing outside the given ranges is touched. The same code serves the worker (mapping), the
 * command line (imports) and the fuzzer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "door.h"

struct patch_table; /* patch.h */

struct image_file {
    const uint8_t *bytes;
    size_t size;
    struct door_image info; /* info.status != 0: refused, info.reason says why */
    /* directories, file-checked: rva and size, 0 = absent */
    struct {
        uint32_t rva, bytes;
    } export_dir, import_dir, reloc_dir, exception_dir, load_config_dir, debug_dir;
    uint32_t characteristics, dll_characteristics, header_bytes;
};

/* Parse; true when the image can be loaded. Bytes must outlive the struct. */
bool image_parse(struct image_file *file, const void *bytes, size_t size);

/* Pointer to [rva, rva+bytes) in the FILE (not the mapped image), or NULL if it is not wholly in the file's data. */
const void *image_at(const struct image_file *file, uint32_t rva, uint32_t bytes);

/* True when the image has a fair amount of code but hardly any of it is covered by unwind data (.pdata): a clang driver
 * built without -funwind-tables. Stack walks and exception handling through such code go wrong; worth a warning. */
bool image_lacks_unwind(const struct image_file *file);

/*
 * The longest stretch of the file's bytes that holds nothing but sections which are never mapped (debugging information):
 * [*from, *to), both 0 when there is none. A copy that is made only to be mapped can do without it.
 */
void image_unmapped(const struct image_file *file, uint64_t *from, uint64_t *to);

/* Leave the debugging information at the image's end out of its size in memory (drivers keep theirs, as on Windows). */
void image_drop_debug(struct image_file *file);

/* Walk the imports in order. Start with a zeroed cursor; false = no more (or damaged: cursor->damaged is set). */
struct image_import {
    uint32_t descriptor, index; /* the cursor's own */
    bool damaged;
    const char *module, *name; /* name NULL: by ordinal */
    uint32_t ordinal;
    uint32_t slot; /* rva of the table entry to fill */
};
bool image_import_next(const struct image_file *file, struct image_import *cursor);

/* Exports of an image that is MAPPED at base (bytes long). Returns the rva, or 0; when it is a forwarder, *forwarder
 * points to its "module.name" text inside the image. */
uint32_t image_export_find(const void *base, uint32_t bytes, const char *name, uint32_t ordinal,
                           const char **forwarder);
/* Walk named exports in order; false = no more. */
bool image_export_next(const void *base, uint32_t bytes, uint32_t *index, const char **name, uint32_t *rva);

/* What mapping needs from its surroundings. */
struct image_mapper {
    void *context;
    /* Value for an import's table entry. */
    uint64_t (*bind)(void *context, const char *module, const char *name, uint32_t ordinal);
    /* Set the protection of [va, va+bytes), page multiples; protection is enum door_protection. */
    bool (*protect)(void *context, uint64_t va, uint64_t bytes, uint32_t protection);
    uint64_t cookie_seed;      /* deterministic source for /GS cookies */
    uint64_t guard_check;      /* address of a routine that returns at once, for CFG check pointers */
    uint64_t guard_dispatch;   /* address of a routine that jumps to RAX, for CFG dispatch pointers */
    uint64_t shared_data;      /* where 0xFFFFF78000000000 constants are redirected; 0 = leave them */
    bool patch;                /* rewrite instructions, see patch.h; false for kernel modules */
    bool points;               /* accesses to memory are delivery points: for exploring schedules */
    const struct door_up *up;  /* entries patched code calls */
    struct patch_table *table; /* needed when patch is true: the patched images' side table and scratch memory */
};

/*
 * Copy headers and sections to memory at va (writable, info.bytes + info.extra_bytes long), relocate, bind imports, set
 * the security cookie and guard pointers, patch, protect section by section. With mapper->patch false the extra bytes
 * are neither needed nor touched. False: it cannot be loaded here; *reason is one static sentence, nothing is
 * protected.
 */
bool image_map(const struct image_file *file, uint64_t va, const struct image_mapper *mapper, const char **reason);
