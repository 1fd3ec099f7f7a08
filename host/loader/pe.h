/*
 * The file format: the parts of PE32+ that the loader reads, and what its own files share. Private to host/loader.
 *
 * All structures are packed, so they may be read at any address of an untrusted file. Offsets and names are those of
 * the public "PE Format" specification.
 */
#pragma once

#include <string.h>
#include "image.h"

enum {
    PE_MACHINE_I386 = 0x14c,
    PE_MACHINE_AMD64 = 0x8664,

    PE_FILE_RELOCS_STRIPPED = 0x0001,
    PE_FILE_EXECUTABLE = 0x0002,

    PE_MAGIC_32 = 0x10b,
    PE_MAGIC_64 = 0x20b,
    PE_SUBSYSTEM_NATIVE = 1,

    PE_DIR_EXPORT = 0,
    PE_DIR_IMPORT = 1,
    PE_DIR_EXCEPTION = 3,
    PE_DIR_RELOC = 5,
    PE_DIR_DEBUG = 6,
    PE_DIR_LOAD_CONFIG = 10,
    PE_DIR_CLR = 14,
    PE_DIRECTORIES = 16,

    PE_RELOC_ABSOLUTE = 0,
    PE_RELOC_HIGHLOW = 3,
    PE_RELOC_DIR64 = 10,
};

#define PE_SCN_CODE 0x00000020u
#define PE_SCN_DISCARDABLE 0x02000000u
#define PE_SCN_EXECUTE 0x20000000u
#define PE_SCN_READ 0x40000000u
#define PE_SCN_WRITE 0x80000000u

#define PE_PACKED __attribute__((packed))

struct PE_PACKED pe_headers {
    uint32_t signature; /* "PE\0\0" */
    uint16_t machine, section_count;
    uint32_t time_stamp, symbols, symbol_count;
    uint16_t optional_bytes, characteristics;
    /* the optional header, PE32+ form */
    uint16_t magic;
    uint8_t linker_major, linker_minor;
    uint32_t code_bytes, data_bytes, zero_bytes, entry, code_base;
    uint64_t image_base;
    uint32_t section_alignment, file_alignment;
    uint16_t os_major, os_minor, image_major, image_minor, subsystem_major, subsystem_minor;
    uint32_t win32_version, image_bytes, header_bytes, check_sum;
    uint16_t subsystem, dll_characteristics;
    uint64_t stack_reserve, stack_commit, heap_reserve, heap_commit;
    uint32_t loader_flags, directory_count;
    struct PE_PACKED pe_directory {
        uint32_t rva, bytes;
    } directory[PE_DIRECTORIES];
};

#define PE_FILE_HEADER_BYTES 24u /* signature and file header: where the optional header begins */
#define PE_OPTIONAL_BYTES 112u   /* optional header without directories */
#define PE_OPTIONAL_BYTES_32 96u /* the same of PE32 */

struct PE_PACKED pe_section {
    char name[8];
    uint32_t virtual_bytes, rva, raw_bytes, raw, relocs, lines;
    uint16_t reloc_count, line_count;
    uint32_t characteristics;
};

struct PE_PACKED pe_import {
    uint32_t lookup, time_stamp, forwarder, module, table;
};

struct PE_PACKED pe_export {
    uint32_t flags, time_stamp;
    uint16_t major, minor;
    uint32_t module, ordinal_base, function_count, name_count, functions, names, ordinals;
};

struct PE_PACKED pe_function {
    uint32_t begin, end, unwind;
};
enum { PE_UNWIND_CHAINED = 4 }; /* of the flags, the upper five bits of the unwind data's first byte */

/* Unaligned reads and writes of little-endian values. */
static inline uint16_t pe_get16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t pe_get32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t pe_get64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void pe_put32(void *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void pe_put64(void *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* The section table of an image that image_parse accepted. */
const struct pe_section *pe_sections(const struct image_file *file, uint32_t *count);

/* Bytes a section occupies in the image, and how many of them come from the file. */
uint32_t pe_section_bytes(const struct pe_section *section);
uint32_t pe_section_file_bytes(const struct image_file *file, const struct pe_section *section);
/* Where they begin in the file: the system reads in 512-byte sectors and rounds down. */
uint32_t pe_section_file_offset(const struct image_file *file, const struct pe_section *section);

/* Debugging information that linkers of the GNU kind put into sections: never needed at run time, so never mapped. */
bool pe_section_unmapped(const struct image_file *file, const struct pe_section *section);

/* Sections aligned to less than a page: such an image is one writable, executable piece, as on Windows. */
bool pe_single_piece(const struct image_file *file);

/* Walk the relocations; start with a zeroed cursor. False = no more (or damaged). */
struct pe_reloc {
    uint32_t block, index; /* the cursor's own */
    bool damaged;
    uint32_t rva;
    uint8_t type; /* HIGHLOW or DIR64 */
};
bool pe_reloc_next(const struct image_file *file, struct pe_reloc *cursor);
