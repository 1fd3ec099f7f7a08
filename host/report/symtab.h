/*
 * The names an image file carries itself: its COFF symbol table (mingw gcc and clang write one), its exports, and the
 * names of its imports by table slot. What a report falls back on where no symbolizer is at hand, and the only source
 * for names of variables in images with DWARF.
 *
 * The file is untrusted: whatever does not fit is left out, nothing is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum symtab_kind { SYMTAB_FUNCTION = 1, SYMTAB_DATA = 2 };

struct symtab_name {
    uint32_t rva;
    uint32_t kind;
    char *text;
};

struct symtab_section {
    uint32_t rva, bytes, raw, raw_bytes, characteristics;
};

struct symtab {
    const uint8_t *bytes; /* the file; borrowed */
    size_t size;
    uint32_t image_bytes;
    uint32_t section_count;
    struct symtab_section section[96];
    struct {
        uint32_t rva, bytes;
    } directory[16];
    struct symtab_name *names; /* by rva */
    size_t name_count, name_room;
};

/* Reads the names; false when the bytes are no PE32+ image at all (the table is then empty, and valid). */
bool symtab_open(struct symtab *t, const uint8_t *bytes, size_t size);
void symtab_close(struct symtab *t);

/* Pointer to [rva, rva + bytes) in the file, NULL where the file holds no such data. */
const uint8_t *symtab_at(const struct symtab *t, uint32_t rva, uint32_t bytes);

/* Does the image export that name (also as a forwarder)? */
bool symtab_exports(const struct symtab *t, const char *wanted);

/* For readers of other sources (PDB): add names, then sort once. */
void symtab_add(struct symtab *t, uint32_t rva, enum symtab_kind kind, const char *text, size_t bytes);
void symtab_sort(struct symtab *t);

/* The nearest name of that kind at or before rva in the same section; NULL when there is none. */
const struct symtab_name *symtab_nearest(const struct symtab *t, uint32_t rva, enum symtab_kind kind);

/* Start of the function that .pdata says contains rva; 0 when it has no entry. */
uint32_t symtab_function_start(const struct symtab *t, uint32_t rva);

/* True when the bytes before rva are a call instruction, so that rva is where it returns to. */
bool symtab_returns_here(const struct symtab *t, uint32_t rva);

/* The import called by the instruction before rva (directly, or through a jump stub): its name; NULL when unknown. */
const char *symtab_called(const struct symtab *t, uint32_t rva);
