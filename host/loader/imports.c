/*
 * The import table: which routines of which modules an image asks for, and where their addresses are to be put.
 *
 * The cursor walks descriptor by descriptor (one a module) and entry by entry. Names come from the lookup table; an
 * image without one (old Borland linkers) has them in the address table itself. Nothing is trusted: strings must end
 * inside the file's data, table entries must lie inside the image.
 */
#include "pe.h"

#define IMPORT_NAME_MAX 1024u
#define IMPORT_BY_ORDINAL (1ull << 63)

/* A string that ends inside the file's data, or NULL. */
static const char *string_at(const struct image_file *file, uint32_t rva)
{
    uint32_t count;
    const struct pe_section *section = pe_sections(file, &count);

    for (; count; count--, section++) {
        if (rva < section->rva || rva - section->rva >= pe_section_file_bytes(file, section))
            continue;
        uint32_t room = pe_section_file_bytes(file, section) - (rva - section->rva);
        const char *text = (const char *)file->bytes + pe_section_file_offset(file, section) + (rva - section->rva);
        return memchr(text, 0, room < IMPORT_NAME_MAX ? room : IMPORT_NAME_MAX) ? text : NULL;
    }
    return NULL;
}

static bool damaged(struct image_import *cursor)
{
    cursor->damaged = true;
    return false;
}

/* Fill in what the cursor stands at. 1 = filled, 0 = the module's last entry was passed, -1 = damaged. */
static int read_entry(const struct image_file *file, const struct pe_import *descriptor, struct image_import *cursor)
{
    uint32_t offset = cursor->index * 8;
    uint32_t lookup = descriptor->lookup ? descriptor->lookup : descriptor->table;
    if ((uint64_t)lookup + offset > UINT32_MAX || (uint64_t)descriptor->table + offset + 8 > file->info.bytes)
        return -1;
    const void *at = image_at(file, lookup + offset, 8);
    if (!at)
        return -1;

    uint64_t entry = pe_get64(at);
    if (entry == 0)
        return 0;
    cursor->slot = descriptor->table + offset;
    cursor->name = NULL;
    cursor->ordinal = (uint16_t)entry;
    if (entry & IMPORT_BY_ORDINAL)
        return 1;
    cursor->ordinal = 0;
    if (entry > UINT32_MAX - 2)
        return -1;
    cursor->name = string_at(file, (uint32_t)entry + 2); /* behind the hint */
    return cursor->name && cursor->name[0] ? 1 : -1;
}

bool image_import_next(const struct image_file *file, struct image_import *cursor)
{
    while (file->import_dir.rva) {
        uint64_t rva = file->import_dir.rva + (uint64_t)cursor->descriptor * sizeof(struct pe_import);
        const struct pe_import *descriptor =
            rva <= UINT32_MAX ? image_at(file, (uint32_t)rva, sizeof *descriptor) : NULL;
        if (!descriptor)
            return damaged(cursor);
        if (descriptor->module == 0 || descriptor->table == 0)
            return false;
        cursor->module = string_at(file, descriptor->module);
        if (!cursor->module || !cursor->module[0])
            return damaged(cursor);
        int got = read_entry(file, descriptor, cursor);
        if (got < 0)
            return damaged(cursor);
        cursor->index++;
        if (got > 0)
            return true;
        cursor->descriptor++;
        cursor->index = 0;
    }
    return false;
}
