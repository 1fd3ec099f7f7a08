/*
 * Parsing: is this file a driver that this machine can load, and if not, why not.
 *
 * Everything that could fail while mapping is decided here, so that image_map only acts: headers, sections, the whole
 * import table and the whole relocation table are walked once. What merely describes the image (exports, unwind data,
 * load configuration, debug directory) and does not lie inside it is taken as absent, as Windows does.
 *
 * The refusals follow the checks Windows makes when it creates an image section and loads a system image: sections in
 * ascending order without gaps, file data wholly present, at most 96 sections, alignments that are powers of two, base
 * a multiple of 64 KiB, a check sum that is right when there is one (docs: PE Format, "CheckSum"). Statuses:
 * no MZ -> INVALID_IMAGE_NOT_MZ; MZ without PE -> INVALID_IMAGE_PROTECT, or the NE/LE form's own; a 32-bit x86 driver
 * -> DRIVER_BLOCKED_CRITICAL, which is what ZwLoadDriver of 64-bit Windows 10 was seen to return (error 1275 of the
 * service manager); no relocations where they are needed -> CONFLICTING_ADDRESSES; all else -> INVALID_IMAGE_FORMAT.
 * DIFFERS: Windows looks at the subsystem and the CLR header only later or not at all; here both are refusals.
 */
#include <stdarg.h>
#include <stdio.h>
#include "pe.h"
#include "patch.h"

#define STATUS_CONFLICTING_ADDRESSES 0xC0000018u
#define STATUS_INVALID_IMAGE_FORMAT 0xC000007Bu
#define STATUS_INVALID_IMAGE_NE_FORMAT 0xC000011Bu
#define STATUS_INVALID_IMAGE_LE_FORMAT 0xC000012Eu
#define STATUS_INVALID_IMAGE_NOT_MZ 0xC000012Fu
#define STATUS_INVALID_IMAGE_PROTECT 0xC0000130u
#define STATUS_IMAGE_CHECKSUM_MISMATCH 0xC0000221u
#define STATUS_DRIVER_BLOCKED_CRITICAL 0xC000036Bu

#define IMAGE_BYTES_MAX (1u << 30)
#define IMAGE_ALIGNMENT_MAX (2u << 20)
#define IMAGE_IMPORTS_MAX 65536u

__attribute__((format(printf, 3, 4))) static bool refuse(struct image_file *file, uint32_t status, const char *why, ...)
{
    va_list list;
    va_start(list, why);
    vsnprintf(file->info.reason, sizeof file->info.reason, why, list);
    va_end(list);
    file->info.status = status;
    return false;
}

/* ---- Access ----------------------------------------------------------------------------------------------------- */

static const struct pe_headers *headers(const struct image_file *file)
{
    return (const void *)(file->bytes + pe_get32(file->bytes + 0x3c));
}

const struct pe_section *pe_sections(const struct image_file *file, uint32_t *count)
{
    const struct pe_headers *h = headers(file);
    *count = h->section_count;
    return (const void *)((const uint8_t *)h + PE_FILE_HEADER_BYTES + h->optional_bytes);
}

bool pe_single_piece(const struct image_file *file)
{
    return headers(file)->section_alignment < DOOR_PAGE;
}

uint32_t pe_section_bytes(const struct pe_section *section)
{
    return section->virtual_bytes ? section->virtual_bytes : section->raw_bytes;
}

uint32_t pe_section_file_offset(const struct image_file *file, const struct pe_section *section)
{
    return pe_single_piece(file) ? section->raw : section->raw & ~0x1ffu;
}

uint32_t pe_section_file_bytes(const struct image_file *file, const struct pe_section *section)
{
    uint32_t bytes = pe_section_bytes(section);
    if (section->raw == 0)
        return 0;
    return section->raw_bytes < bytes ? section->raw_bytes : bytes;
}

/* The section's name; long names ("/123") lie in the string table behind the symbols. At most 8 characters of it. */
static void section_name(const struct image_file *file, const struct pe_section *section, char name[9])
{
    const struct pe_headers *h = headers(file);
    memcpy(name, section->name, 8);
    name[8] = 0;
    if (name[0] != '/' || h->symbols == 0)
        return;
    uint64_t at = 0;
    for (const char *digit = name + 1; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return;
        at = at * 10 + (uint64_t)(*digit - '0');
    }
    at += (uint64_t)h->symbols + (uint64_t)h->symbol_count * 18;
    if (at >= file->size)
        return;
    size_t length = strnlen((const char *)file->bytes + at, file->size - at);
    memset(name, 0, 9);
    memcpy(name, file->bytes + at, length < 8 ? length : 8);
}

bool pe_section_unmapped(const struct image_file *file, const struct pe_section *section)
{
    char name[9];
    if (!(section->characteristics & PE_SCN_DISCARDABLE) || section->characteristics & PE_SCN_EXECUTE ||
        pe_single_piece(file))
        return false;
    section_name(file, section, name);
    return strncmp(name, ".debug", 6) == 0 || name[0] == '/';
}

void image_unmapped(const struct image_file *file, uint64_t *from, uint64_t *to)
{
    uint32_t count;
    uint64_t start = 0, end = 0; /* of the stretch that is growing: section after section in the file's order */
    const struct pe_section *section = pe_sections(file, &count);

    *from = *to = 0;
    for (; count; count--, section++) {
        if (section->raw_bytes == 0)
            continue;
        if (!pe_section_unmapped(file, section)) {
            start = end = 0;
            continue;
        }
        if (section->raw != end)
            start = section->raw;
        end = (uint64_t)section->raw + section->raw_bytes;
        if (end - start > *to - *from) {
            *from = start;
            *to = end;
        }
    }
    if (*to > file->size)
        *from = *to = 0;
    /* Nothing else may lie there, however the sections are arranged. */
    for (section = pe_sections(file, &count); count && *to; count--, section++)
        if (!pe_section_unmapped(file, section) && section->raw_bytes && section->raw < *to &&
            (uint64_t)section->raw + section->raw_bytes > *from)
            *from = *to = 0;
    if (*from < file->header_bytes)
        *from = *to = 0;
}

const void *image_at(const struct image_file *file, uint32_t rva, uint32_t bytes)
{
    uint32_t count;
    const struct pe_section *section = pe_sections(file, &count);

    if ((uint64_t)rva + bytes <= file->header_bytes)
        return file->bytes + rva;
    for (; count; count--, section++) {
        if (rva < section->rva || rva - section->rva > pe_section_file_bytes(file, section))
            continue;
        if (bytes > pe_section_file_bytes(file, section) - (rva - section->rva))
            continue;
        return file->bytes + pe_section_file_offset(file, section) + (rva - section->rva);
    }
    return NULL;
}

bool image_lacks_unwind(const struct image_file *file)
{
    uint32_t count;
    uint64_t code = 0, covered = 0;
    const struct pe_section *section = pe_sections(file, &count);
    for (; count; count--, section++)
        if (section->characteristics & PE_SCN_EXECUTE)
            code += pe_section_file_bytes(file, section);

    const struct pe_function *entry = image_at(file, file->exception_dir.rva, file->exception_dir.bytes);
    for (count = file->exception_dir.bytes / sizeof *entry; entry && count; count--, entry++)
        if (entry->end > entry->begin && entry->end <= file->info.bytes)
            covered += entry->end - entry->begin;
    /* Leaf functions rightly have no entry; a compiler that was told to write none leaves nearly everything bare. */
    return code >= 256 && covered < code / 4;
}

/* ---- Relocations ------------------------------------------------------------------------------------------------ */

bool pe_reloc_next(const struct image_file *file, struct pe_reloc *cursor)
{
    const uint8_t *table = image_at(file, file->reloc_dir.rva, file->reloc_dir.bytes);
    uint32_t bytes = file->reloc_dir.bytes;

    while (table && bytes - cursor->block >= 8) {
        uint32_t page = pe_get32(table + cursor->block), block = pe_get32(table + cursor->block + 4);
        if (page == 0 && block == 0)
            return false; /* padding */
        if (block < 8 || block > bytes - cursor->block) {
            cursor->damaged = true;
            return false;
        }
        if (cursor->index >= (block - 8) / 2) {
            cursor->block += block;
            cursor->index = 0;
            continue;
        }
        uint16_t entry = pe_get16(table + cursor->block + 8 + 2 * cursor->index++);
        uint32_t size = entry >> 12 == PE_RELOC_DIR64 ? 8 : 4;
        if (entry >> 12 == PE_RELOC_ABSOLUTE)
            continue;
        if ((entry >> 12 != PE_RELOC_HIGHLOW && entry >> 12 != PE_RELOC_DIR64) ||
            (uint64_t)page + (entry & 0xfff) + size > file->info.bytes) {
            cursor->damaged = true;
            return false;
        }
        cursor->rva = page + (entry & 0xfff);
        cursor->type = entry >> 12;
        return true;
    }
    return false;
}

/* ---- The checks, in order --------------------------------------------------------------------------------------- */

static bool looks_like_text(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size && i < 256; i++)
        if (bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t')
            return false;
    return true;
}

static bool check_kind(struct image_file *file)
{
    const uint8_t *b = file->bytes;
    const uint32_t status = STATUS_INVALID_IMAGE_NOT_MZ;

    if (file->size == 0)
        return refuse(file, status, "this file is empty");
    if (file->size >= 4 && memcmp(b, "\177ELF", 4) == 0)
        return refuse(file, status, "this is an ELF file, not a Windows driver");
    if (file->size >= 7 && memcmp(b, "!<arch>", 7) == 0)
        return refuse(file, status, "this is a library archive, not a Windows driver");
    if (file->size >= 20 && pe_get16(b) == PE_MACHINE_AMD64 && pe_get16(b + 2) < 0x1000 && pe_get16(b + 16) == 0)
        return refuse(file, status, "this is an object file; a driver is what the linker makes of it");
    if (file->size >= 2 && b[0] == 'M' && b[1] == 'Z')
        return true;
    if (looks_like_text(b, file->size))
        return refuse(file, status, "this is a text file, not a Windows driver");
    return refuse(file, status, "this is not a Windows driver: the file does not begin with MZ");
}

static bool check_signature(struct image_file *file)
{
    const uint8_t *b = file->bytes;

    if (file->size < 0x40)
        return refuse(file, STATUS_INVALID_IMAGE_PROTECT, "this file ends inside its DOS header");
    uint32_t at = pe_get32(b + 0x3c);
    if (at > file->size - 4 || at + 4ull > IMAGE_BYTES_MAX)
        return refuse(file, STATUS_INVALID_IMAGE_PROTECT,
                      "this is a DOS program or a truncated file: it has no PE header");
    if (b[at] == 'N' && b[at + 1] == 'E')
        return refuse(file, STATUS_INVALID_IMAGE_NE_FORMAT, "this is a 16-bit Windows or OS/2 file (NE), not a driver");
    if (b[at] == 'L' && (b[at + 1] == 'E' || b[at + 1] == 'X'))
        return refuse(file, STATUS_INVALID_IMAGE_LE_FORMAT, "this is a VxD or OS/2 file (LE), not a driver");
    if (memcmp(b + at, "PE\0", 4) != 0)
        return refuse(file, STATUS_INVALID_IMAGE_PROTECT, "this is a DOS program: it has no PE header");
    return true;
}

static const char *machine_name(uint16_t machine)
{
    switch (machine) {
    case 0x1c0:
    case 0x1c2:
    case 0x1c4:
        return "ARM";
    case 0x200:
        return "Itanium";
    case 0x284:
        return "Alpha";
    case 0xebc:
        return "EFI byte code";
    case 0x5064:
        return "RISC-V";
    case 0x6264:
        return "LoongArch";
    case 0xa641:
    case 0xa64e:
    case 0xaa64:
        return "ARM64";
    }
    return "another machine";
}

/* Machine and form. The optional header may be cut short by its own size field, never by the file. */
static bool check_machine(struct image_file *file)
{
    const struct pe_headers *h = headers(file);
    uint64_t room = file->size - pe_get32(file->bytes + 0x3c);
    const uint32_t status = STATUS_INVALID_IMAGE_FORMAT;

    if (room < PE_FILE_HEADER_BYTES + 2 || room - PE_FILE_HEADER_BYTES < h->optional_bytes || h->optional_bytes < 2)
        return refuse(file, status, "this file ends inside its PE header");

    uint32_t before = h->magic == PE_MAGIC_32 ? PE_OPTIONAL_BYTES_32 : PE_OPTIONAL_BYTES;
    const uint8_t *optional = (const uint8_t *)&h->magic;
    if (h->optional_bytes >= before + (PE_DIR_CLR + 1) * 8 && pe_get32(optional + before - 4) > PE_DIR_CLR &&
        pe_get32(optional + before + PE_DIR_CLR * 8) != 0)
        return refuse(file, status, "this is a .NET assembly, not a driver");
    if (h->machine == PE_MACHINE_I386)
        return refuse(file, STATUS_DRIVER_BLOCKED_CRITICAL,
                      "this is a 32-bit (x86) image; a 64-bit Windows loads x64 drivers only");
    if (h->machine != PE_MACHINE_AMD64)
        return refuse(file, status, "this image is for %s (machine 0x%04x), not for x64", machine_name(h->machine),
                      h->machine);
    if (h->magic != PE_MAGIC_64 || h->optional_bytes < PE_OPTIONAL_BYTES)
        return refuse(file, status, "this image is not in the 64-bit form (PE32+) though its machine is x64");
    if (!(h->characteristics & PE_FILE_EXECUTABLE))
        return refuse(file, status, "the linker marked this image as not executable");
    return true;
}

static const char *subsystem_name(uint16_t subsystem)
{
    switch (subsystem) {
    case 2:
        return "a Windows program or library";
    case 3:
        return "a console program or library";
    case 10:
    case 11:
    case 12:
    case 13:
        return "an EFI image";
    case 16:
        return "a boot application";
    }
    return "not a driver";
}

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool check_header(struct image_file *file)
{
    const struct pe_headers *h = headers(file);
    const uint32_t status = STATUS_INVALID_IMAGE_FORMAT;

    if (h->subsystem != PE_SUBSYSTEM_NATIVE)
        return refuse(file, status, "this is %s: its subsystem is %u, a driver's is 1 (native)",
                      subsystem_name(h->subsystem), h->subsystem);
    if (!power_of_two(h->section_alignment) || !power_of_two(h->file_alignment) ||
        h->section_alignment < h->file_alignment || h->section_alignment > IMAGE_ALIGNMENT_MAX ||
        (h->file_alignment < 512 && h->file_alignment != h->section_alignment) || h->section_alignment < 16)
        return refuse(file, status, "the image's alignments make no sense (sections 0x%x, file 0x%x)",
                      h->section_alignment, h->file_alignment);
    if (h->image_base & 0xffff)
        return refuse(file, status, "the image's preferred base is not a multiple of 64 KiB");
    if (h->image_bytes == 0 || h->image_bytes > IMAGE_BYTES_MAX)
        return refuse(file, status, "the image claims a size of %u bytes; the limit is 1 GiB", h->image_bytes);
    if (h->header_bytes > file->size || h->header_bytes > h->image_bytes || h->header_bytes < 0x40)
        return refuse(file, status, "the image's headers do not fit into the file: it is truncated or damaged");
    if (h->entry >= h->image_bytes)
        return refuse(file, status, "the image's entry point lies outside it");

    file->info.preferred_base = h->image_base;
    file->info.bytes = (h->image_bytes + DOOR_PAGE - 1) & ~(uint32_t)(DOOR_PAGE - 1);
    file->info.entry = h->entry;
    file->info.check_sum = h->check_sum;
    file->info.dll_characteristics = h->dll_characteristics;
    file->info.time_stamp = h->time_stamp;
    file->characteristics = h->characteristics;
    file->dll_characteristics = h->dll_characteristics;
    file->header_bytes = h->header_bytes;
    return true;
}

static bool check_section(struct image_file *file, const struct pe_section *section, const char *name, uint64_t next)
{
    const uint32_t status = STATUS_INVALID_IMAGE_FORMAT, bytes = pe_section_bytes(section);

    if ((uint64_t)section->rva + bytes > file->info.bytes)
        return refuse(file, status, "section '%s' reaches beyond the end of the image", name);
    if (section->rva < next)
        return refuse(file, status, "section '%s' overlaps what lies before it", name);
    if (section->rva & (headers(file)->section_alignment - 1))
        return refuse(file, status, "section '%s' is not aligned", name);
    if (section->raw != 0 && (uint64_t)section->raw + section->raw_bytes > file->size)
        return refuse(file, status, "the file is truncated: the data of section '%s' is not all there", name);
    if (pe_single_piece(file) && section->raw != 0 && section->raw != section->rva)
        return refuse(file, status, "section '%s' lies elsewhere in the file than in the image", name);
    return true;
}

static bool check_sections(struct image_file *file)
{
    const struct pe_headers *h = headers(file);
    uint32_t count, mask = h->section_alignment - 1;
    const struct pe_section *section = pe_sections(file, &count);
    uint64_t next = h->header_bytes;
    char name[9], shown[9];

    if (count == 0 || count > DOOR_IMAGE_SECTIONS)
        return refuse(file, STATUS_INVALID_IMAGE_FORMAT, "the image has %u sections; 1 to 96 are allowed", count);
    if ((size_t)((const uint8_t *)section - file->bytes) + count * sizeof *section > file->size)
        return refuse(file, STATUS_INVALID_IMAGE_FORMAT, "this file ends inside its section table");

    for (uint32_t i = 0; i < count; i++, section++) {
        section_name(file, section, name);
        for (int c = 0; c < 9; c++)
            shown[c] = name[c] == 0 || (name[c] >= 0x20 && name[c] < 0x7f) ? name[c] : '?';
        if (pe_section_bytes(section) == 0)
            continue;
        if (!check_section(file, section, shown, next))
            return false;
        if (i != 0 && section->rva != next)
            return refuse(file, STATUS_INVALID_IMAGE_FORMAT, "there is a gap before section '%s'", shown);
        next = ((uint64_t)section->rva + pe_section_bytes(section) + mask) & ~(uint64_t)mask;
        if (pe_single_piece(file))
            continue;
        struct door_section *out = &file->info.section[file->info.section_count++];
        memcpy(out->name, name, 9);
        out->rva = section->rva;
        out->bytes = (pe_section_bytes(section) + DOOR_PAGE - 1) & ~(uint32_t)(DOOR_PAGE - 1);
        out->characteristics = section->characteristics;
    }
    return true;
}

/* Sum of 16-bit words with end-around carry, leaving the field itself out, plus the file's length. */
static bool check_sum(struct image_file *file)
{
    size_t skip = (size_t)((const uint8_t *)&headers(file)->check_sum - file->bytes), size = file->size;
    uint64_t sum = 0;

    if (file->info.check_sum == 0)
        return true; /* linked without one */
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += pe_get16(file->bytes + i);
    if (size & 1)
        sum += file->bytes[size - 1];
    /* The field need not be word-aligned in a strange file; taking its words away by value holds either way. */
    for (size_t i = skip; i < skip + 4; i++)
        sum -= (uint64_t)file->bytes[i] << (i & 1 ? 8 : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    if ((uint32_t)sum + (uint32_t)size != file->info.check_sum)
        return refuse(file, STATUS_IMAGE_CHECKSUM_MISMATCH,
                      "the image's check sum is wrong: the file was changed after it was linked");
    return true;
}

static void directories(struct image_file *file)
{
    const struct pe_headers *h = headers(file);
    uint32_t fit = (h->optional_bytes - PE_OPTIONAL_BYTES) / sizeof h->directory[0];
    uint32_t count = h->directory_count < fit ? h->directory_count : fit;
    const struct {
        uint32_t index, smallest;
        void *out;
    } wanted[] = {
        {PE_DIR_EXPORT, sizeof(struct pe_export), &file->export_dir},
        {PE_DIR_IMPORT, sizeof(struct pe_import), &file->import_dir},
        {PE_DIR_EXCEPTION, sizeof(struct pe_function), &file->exception_dir},
        {PE_DIR_RELOC, 8, &file->reloc_dir},
        {PE_DIR_DEBUG, 28, &file->debug_dir},
        {PE_DIR_LOAD_CONFIG, 4, &file->load_config_dir},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (wanted[i].index >= count || wanted[i].index >= PE_DIRECTORIES)
            continue;
        struct pe_directory dir = h->directory[wanted[i].index];
        if (dir.rva == 0)
            continue;
        if (wanted[i].index == PE_DIR_IMPORT || wanted[i].index == PE_DIR_RELOC ||
            (dir.bytes >= wanted[i].smallest && image_at(file, dir.rva, dir.bytes)))
            memcpy(wanted[i].out, &dir, sizeof dir);
    }
    file->info.unwind = file->exception_dir.rva;
    file->info.unwind_bytes = file->exception_dir.bytes - file->exception_dir.bytes % sizeof(struct pe_function);
}

static bool check_tables(struct image_file *file)
{
    struct pe_reloc reloc = {0};
    struct image_import import = {0};
    uint32_t imports = 0;

    if (file->reloc_dir.bytes && !image_at(file, file->reloc_dir.rva, file->reloc_dir.bytes))
        return refuse(file, STATUS_INVALID_IMAGE_FORMAT, "the image's relocation table is not in the file");
    while (pe_reloc_next(file, &reloc))
        ;
    if (reloc.damaged)
        return refuse(file, STATUS_INVALID_IMAGE_FORMAT, "the image's relocation table is damaged");
    while (image_import_next(file, &import))
        if (++imports > IMAGE_IMPORTS_MAX)
            return refuse(file, STATUS_INVALID_IMAGE_FORMAT, "the image imports more than %u names", IMAGE_IMPORTS_MAX);
    if (import.damaged)
        return refuse(file, STATUS_INVALID_IMAGE_FORMAT, "the image's import table is damaged");
    if (file->characteristics & PE_FILE_RELOCS_STRIPPED &&
        (file->info.preferred_base < DOOR_IMAGE_BASE || file->info.preferred_base >= DOOR_IMAGE_END))
        return refuse(file, STATUS_CONFLICTING_ADDRESSES,
                      "the image has no relocations (/FIXED), so it cannot lie where this machine has its drivers");
    return true;
}

bool image_parse(struct image_file *file, const void *bytes, size_t size)
{
    memset(file, 0, sizeof *file);
    file->bytes = bytes;
    file->size = size;
    if (!check_kind(file) || !check_signature(file) || !check_machine(file) || !check_header(file) ||
        !check_sections(file) || !check_sum(file))
        return false;
    directories(file);
    if (!check_tables(file))
        return false;
    file->info.extra_bytes = patch_room(file);
    return true;
}

void image_drop_debug(struct image_file *file)
{
    uint32_t count;
    const struct pe_section *section = pe_sections(file, &count);

    for (; count && file->info.section_count; count--) {
        const struct pe_section *last = &section[count - 1];
        if (pe_section_bytes(last) == 0)
            continue;
        if (!pe_section_unmapped(file, last))
            return;
        file->info.bytes = last->rva;
        file->info.section_count--;
    }
}
