/*
 * Mapping: make a parsed file an image that can run at va.
 *
 * In order: copy headers and sections, relocate, fill the import table, set the /GS cookie and the Control Flow Guard
 * pointers, patch, protect. Imports come before protections because linkers put the import table into read-only
 * sections. image_parse has walked every table this reads, so only two things can still be refused: an image without
 * relocations that lies elsewhere than it wants, and more code than the patcher has scratch memory for.
 *
 * Memory between and behind sections, and sections with nothing but debugging information, are closed.
 */
#include "pe.h"
#include "patch.h"

/* Offsets in IMAGE_LOAD_CONFIG_DIRECTORY64 (docs: winnt.h). The structure grew over time; Size says how far it goes. */
enum {
    CONFIG_COOKIE = 0x58,
    CONFIG_GUARD_CHECK = 0x70,
    CONFIG_GUARD_DISPATCH = 0x78,
    CONFIG_XFG_CHECK = 0x118,
    CONFIG_XFG_DISPATCH = 0x120,
    CONFIG_XFG_TABLE_DISPATCH = 0x128,
};
#define DEFAULT_COOKIE 0x00002B992DDFA232ull

static void copy(const struct image_file *file, uint8_t *memory)
{
    uint32_t count, end = file->header_bytes;
    const struct pe_section *section = pe_sections(file, &count);

    memcpy(memory, file->bytes, end);
    for (; count; count--, section++) {
        uint32_t bytes = pe_section_file_bytes(file, section);
        if (pe_section_bytes(section) == 0 || pe_section_unmapped(file, section))
            continue;
        /* Zeros up to the section, also over what a page rounding left behind the one before. */
        memset(memory + end, 0, section->rva - end);
        memcpy(memory + section->rva, file->bytes + pe_section_file_offset(file, section), bytes);
        end = section->rva + bytes;
        memset(memory + end, 0, section->rva + pe_section_bytes(section) - end);
        end = section->rva + pe_section_bytes(section);
    }
    uint32_t page_end = (end + DOOR_PAGE - 1) & ~(uint32_t)(DOOR_PAGE - 1);
    memset(memory + end, 0, page_end - end);
    uint8_t *size =
        memory + pe_get32(memory + 0x3c) + 0x50; /* SizeOfImage, which image_drop_debug may have made less */
    if (file->info.bytes < pe_get32(size))
        pe_put32(size, file->info.bytes);
}

static void relocate(const struct image_file *file, uint8_t *memory, uint64_t delta)
{
    struct pe_reloc reloc = {0};
    while (delta && pe_reloc_next(file, &reloc)) {
        uint8_t *at = memory + reloc.rva;
        if (reloc.type == PE_RELOC_DIR64)
            pe_put64(at, pe_get64(at) + delta);
        else
            pe_put32(at, pe_get32(at) + (uint32_t)delta);
    }
}

static void bind(const struct image_file *file, uint8_t *memory, const struct image_mapper *mapper)
{
    struct image_import import = {0};
    while (image_import_next(file, &import))
        pe_put64(memory + import.slot, mapper->bind(mapper->context, import.module, import.name, import.ordinal));
}

/* The image's variable whose address stands in the load configuration at `field`, or NULL. */
static uint8_t *config_variable(const struct image_file *file, uint8_t *memory, uint64_t va, uint32_t field)
{
    uint32_t config = file->load_config_dir.rva, bytes = file->info.bytes;
    if (config == 0 || config > bytes - 4 || pe_get32(memory + config) > bytes - config ||
        pe_get32(memory + config) < field + 8)
        return NULL;
    uint64_t address = pe_get64(memory + config + field);
    return address >= va && address - va <= bytes - 8 ? memory + (address - va) : NULL;
}

static void set_config(const struct image_file *file, uint8_t *memory, uint64_t va, const struct image_mapper *mapper)
{
    const struct {
        uint32_t field;
        uint64_t value;
    } guard[] = {
        {CONFIG_GUARD_CHECK, mapper->guard_check},
        {CONFIG_GUARD_DISPATCH, mapper->guard_dispatch},
        {CONFIG_XFG_CHECK, mapper->guard_check},
        {CONFIG_XFG_DISPATCH, mapper->guard_dispatch},
        {CONFIG_XFG_TABLE_DISPATCH, mapper->guard_dispatch},
    };

    /* Only the value the compiler left there is replaced: a driver that starts with another one means it. */
    uint8_t *cookie = config_variable(file, memory, va, CONFIG_COOKIE);
    if (cookie && (pe_get64(cookie) == DEFAULT_COOKIE || pe_get64(cookie) == 0)) {
        uint64_t mix = mapper->cookie_seed + ((uint64_t)file->info.check_sum << 32 | file->info.time_stamp);
        mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ull;
        mix = (mix ^ mix >> 27) * 0x94d049bb133111ebull;
        mix = (mix ^ mix >> 31) & 0x0000ffffffffffffull; /* upper 16 bits zero: string overruns stop there */
        pe_put64(cookie, mix == 0 || mix == DEFAULT_COOKIE ? mix + 1 : mix);
    }
    for (size_t i = 0; i < sizeof guard / sizeof guard[0]; i++) {
        uint8_t *pointer = guard[i].value ? config_variable(file, memory, va, guard[i].field) : NULL;
        if (pointer)
            pe_put64(pointer, guard[i].value);
    }
}

static uint32_t protection_of(uint32_t characteristics)
{
    return (characteristics & PE_SCN_READ ? DOOR_READ : 0) |
           (characteristics & PE_SCN_WRITE ? DOOR_READ | DOOR_WRITE : 0) |
           (characteristics & PE_SCN_EXECUTE ? DOOR_READ | DOOR_EXECUTE : 0);
}

static bool protect(const struct image_file *file, uint64_t va, const struct image_mapper *mapper)
{
    uint32_t count, total = file->info.bytes;
    uint64_t done = (file->header_bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    const struct pe_section *section = pe_sections(file, &count);
    void *context = mapper->context;

    if (pe_single_piece(file))
        return mapper->protect(context, va, total, DOOR_READ | DOOR_WRITE | DOOR_EXECUTE);
    if (!mapper->protect(context, va, done, DOOR_READ))
        return false;
    for (; count; count--, section++) {
        uint64_t bytes = (pe_section_bytes(section) + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
        uint32_t wanted = pe_section_unmapped(file, section) ? DOOR_NONE : protection_of(section->characteristics);
        if (bytes == 0 || section->rva >= total)
            continue;
        if (section->rva > done && !mapper->protect(context, va + done, section->rva - done, DOOR_NONE))
            return false;
        if (!mapper->protect(context, va + section->rva, bytes, wanted))
            return false;
        done = section->rva + bytes;
    }
    return done >= total || mapper->protect(context, va + done, total - done, DOOR_NONE);
}

bool image_map(const struct image_file *file, uint64_t va, const struct image_mapper *mapper, const char **reason)
{
    uint8_t *memory = (uint8_t *)va;
    uint64_t delta = va - file->info.preferred_base;

    *reason = "the image has no relocations and cannot lie at its preferred base";
    if (delta && file->characteristics & PE_FILE_RELOCS_STRIPPED)
        return false;
    copy(file, memory);
    relocate(file, memory, delta);
    bind(file, memory, mapper);
    set_config(file, memory, va, mapper);
    if (mapper->patch && !patch_image(file, va, mapper, reason))
        return false;
    *reason = "the host did not let the image's memory be protected";
    if (!protect(file, va, mapper))
        return false;
    return !mapper->patch || file->info.extra_bytes == 0 ||
           mapper->protect(mapper->context, va + file->info.bytes, file->info.extra_bytes, DOOR_READ | DOOR_EXECUTE);
}
