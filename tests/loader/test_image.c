/* Parsing, import and export tables, mapping: images of three tool chains, and damaged ones made from them. */
#include "tests.h"
#include <cmocka.h>

static const char *const kinds[] = {"gcc.sys", "clang.sys", "msvc.sys"};

struct loaded {
    struct image_file file;
    uint8_t *bytes, *memory;
    uint64_t va;
    struct notes notes;
};

static struct loaded *load(const char *name, uint64_t seed)
{
    size_t size;
    const char *reason;
    struct loaded *l = calloc(1, sizeof *l);
    l->bytes = file_read(name, &size);
    assert_true(image_parse(&l->file, l->bytes, size));
    l->memory = aligned_alloc(DOOR_PAGE, l->file.info.bytes);
    memset(l->memory, 0xaa, l->file.info.bytes);
    l->va = l->notes.base = (uint64_t)l->memory;
    struct image_mapper mapper = {
        .context = &l->notes,
        .bind = note_bind,
        .protect = note_protect,
        .cookie_seed = seed,
        .guard_check = 0x123456789000,
        .guard_dispatch = 0x123456789100,
    };
    assert_true(image_map(&l->file, l->va, &mapper, &reason));
    return l;
}

static void unload(struct loaded *l)
{
    free(l->memory);
    free(l->bytes);
    free(l);
}

static uint32_t export_of(const struct loaded *l, const char *name)
{
    return image_export_find(l->memory, l->file.info.bytes, name, 0, NULL);
}

static void imports_are_listed_and_bound(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct loaded *l = load(kinds[i], 1);
        struct image_import import = {0};
        int names = 0, ordinals = 0;
        while (image_import_next(&l->file, &import)) {
            assert_string_equal(import.module, "ntoskrnl.exe");
            if (import.name) {
                assert_true(!strcmp(import.name, "DbgPrint") || !strcmp(import.name, "KeInitializeEvent"));
                names++;
            } else {
                assert_int_equal(import.ordinal, 77);
                ordinals++;
            }
            assert_true(pe_get64(l->memory + import.slot) == value_of(import.name, import.ordinal));
        }
        assert_false(import.damaged);
        assert_int_equal(names, 2);
        assert_int_equal(ordinals, 1);
        unload(l);
    }
}

static void pointers_are_relocated(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct loaded *l = load(kinds[i], 1);
        uint32_t counter = export_of(l, "Counter"), pointer = export_of(l, "CounterPointer");
        assert_true(counter && pointer);
        assert_true(pe_get64(l->memory + pointer) == l->va + counter);
        assert_int_equal(pe_get32(l->memory + counter), 5);
        unload(l);
    }
}

static void exports_are_found_by_name_and_ordinal_and_listed(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct loaded *l = load(kinds[i], 1);
        uint32_t index = 0, rva, count = 0;
        const char *name, *previous = "";
        while (image_export_next(l->memory, l->file.info.bytes, &index, &name, &rva)) {
            assert_int_equal(export_of(l, name), rva);
            assert_true(strcmp(previous, name) < 0);
            previous = name;
            count++;
        }
        assert_int_equal(count, 8);
        assert_int_equal(export_of(l, "Switc"), 0);
        assert_int_equal(export_of(l, "Switchh"), 0);
        assert_int_equal(export_of(l, ""), 0);
        uint32_t found = 0;
        for (uint32_t ordinal = 0; ordinal < 20; ordinal++)
            found += image_export_find(l->memory, l->file.info.bytes, NULL, ordinal, NULL) != 0;
        assert_int_equal(found, 8);
        unload(l);
    }
}

static void a_forwarder_gives_its_text(void **state)
{
    struct loaded *l = load("msvc.sys", 1);
    const char *forwarder;
    struct pe_export *dir = (void *)(l->memory + l->file.export_dir.rva);
    uint32_t text = l->file.export_dir.rva + l->file.export_dir.bytes - 8;
    memcpy(l->memory + text, "hal.Foo", 8);
    for (uint32_t i = 0; i < dir->function_count; i++)
        pe_put32(l->memory + dir->functions + 4 * i, text);
    assert_int_equal(image_export_find(l->memory, l->file.info.bytes, "Counter", 0, &forwarder), text);
    assert_string_equal(forwarder, "hal.Foo");
    assert_int_equal(export_of(l, "Counter"), 0); /* who does not ask for forwarders gets none */
    unload(l);
}

static void protections_follow_the_sections(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct loaded *l = load(kinds[i], 1);
        int debug = 0;
        assert_int_equal(l->notes.protection[0], DOOR_READ);
        for (uint32_t s = 0; s < l->file.info.section_count; s++) {
            const struct door_section *section = &l->file.info.section[s];
            uint8_t got = l->notes.protection[section->rva / DOOR_PAGE];
            if (!strcmp(section->name, ".text") || !strcmp(section->name, "PAGE"))
                assert_int_equal(got, DOOR_READ | DOOR_EXECUTE);
            else if (!strcmp(section->name, ".data"))
                assert_int_equal(got, DOOR_READ | DOOR_WRITE);
            else if (!strcmp(section->name, ".rdata"))
                assert_int_equal(got, DOOR_READ);
            if (!strncmp(section->name, ".debug", 6)) {
                assert_int_equal(got, DOOR_NONE);
                assert_int_equal(l->memory[section->rva], 0xaa); /* not even touched */
                debug++;
            }
        }
        assert_true(i == 2 ? debug == 0 : debug > 3);
        unload(l);
    }
}

static void sections_named_for_the_kernel_are_reported(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct loaded *l = load(kinds[i], 1);
        int page = 0, init = 0;
        for (uint32_t s = 0; s < l->file.info.section_count; s++) {
            page += !strcmp(l->file.info.section[s].name, "PAGE");
            init += !strcmp(l->file.info.section[s].name, "INIT");
            assert_int_equal(l->file.info.section[s].bytes % DOOR_PAGE, 0);
        }
        assert_int_equal(page, 1);
        assert_int_equal(init, 1);
        unload(l);
    }
}

static void cookie_comes_from_the_seed_and_guard_pointers_are_set(void **state)
{
    for (int i = 1; i < 3; i++) { /* GNU ld fills no load configuration directory in */
        struct loaded *a = load(kinds[i], 1), *b = load(kinds[i], 1), *c = load(kinds[i], 2);
        uint32_t config = a->file.load_config_dir.rva;
        assert_true(config != 0);
        uint64_t cookie = pe_get64(a->memory + config + 0x58) - a->va;
        uint64_t check = pe_get64(a->memory + config + 0x70) - a->va;
        uint64_t dispatch = pe_get64(a->memory + config + 0x78) - a->va;
        uint64_t value = pe_get64(a->memory + cookie);
        assert_true(value != 0 && value != 0x2B992DDFA232 && value >> 48 == 0);
        assert_true(pe_get64(b->memory + cookie) == value);
        assert_true(pe_get64(c->memory + cookie) != value);
        assert_true(pe_get64(a->memory + check) == 0x123456789000);
        assert_true(pe_get64(a->memory + dispatch) == 0x123456789100);
        unload(a);
        unload(b);
        unload(c);
    }
}

static void missing_unwind_data_is_noticed(void **state)
{
    struct loaded *bare = load("bare.sys", 1);
    assert_true(image_lacks_unwind(&bare->file));
    unload(bare);
    for (int i = 0; i < 3; i++) {
        struct loaded *l = load(kinds[i], 1);
        assert_false(image_lacks_unwind(&l->file));
        assert_true(l->file.info.unwind_bytes >= 12 && l->file.info.unwind_bytes % 12 == 0);
        unload(l);
    }
}

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

static void expect(const void *bytes, size_t size, uint32_t status, const char *word)
{
    struct image_file file;
    assert_false(image_parse(&file, bytes, size));
    if (file.info.status != status || !strstr(file.info.reason, word))
        fail_msg("got 0x%08x \"%s\", expected 0x%08x and \"%s\"", file.info.status, file.info.reason, status, word);
}

static void files_of_other_kinds_are_refused(void **state)
{
    static uint8_t zeros[1 << 16];
    static const char text[] = "This is a plain text file that somebody called driver.sys by mistake.\n";
    uint8_t object[64] = {0x64, 0x86, 3, 0};
    uint8_t dos[0x80] = "MZ", ne[0x80] = "MZ", le[0x80] = "MZ";

    expect("", 0, 0xC000012F, "empty");
    expect("M", 1, 0xC000012F, "text");
    expect("MZ", 2, 0xC0000130, "DOS header");
    expect(text, sizeof text - 1, 0xC000012F, "text file");
    expect("\177ELF\2\1\1", 8, 0xC000012F, "ELF file, not a Windows driver");
    expect("!<arch>\n", 8, 0xC000012F, "archive");
    expect(object, sizeof object, 0xC000012F, "object file");
    expect(zeros, sizeof zeros, 0xC000012F, "MZ");
    dos[0x3c] = 0x40;
    expect(dos, sizeof dos, 0xC0000130, "DOS program");
    memset(dos + 0x3c, 0xff, 4);
    expect(dos, sizeof dos, 0xC0000130, "DOS program");
    ne[0x3c] = le[0x3c] = 0x40;
    memcpy(ne + 0x40, "NE", 2);
    memcpy(le + 0x40, "LE", 2);
    expect(ne, sizeof ne, 0xC000011B, "NE");
    expect(le, sizeof le, 0xC000012E, "LE");
}

/* Changes to a good image, by name. */
struct damage {
    const char *name;
    void (*apply)(struct pe_headers *h, struct pe_section *s, uint8_t *bytes);
    uint32_t status;
    const char *word;
};

#define DAMAGE(name, ...)                                                                                              \
    static void name(struct pe_headers *h, struct pe_section *s, uint8_t *bytes)                                       \
    {                                                                                                                  \
        __VA_ARGS__;                                                                                                   \
    }
DAMAGE(i386, h->machine = 0x14c)
DAMAGE(arm64, h->machine = 0xaa64)
DAMAGE(itanium, h->machine = 0x200)
DAMAGE(unknown, h->machine = 0x1234)
DAMAGE(pe32, h->magic = 0x10b)
DAMAGE(dotnet, h->directory[14].rva = 0x2000; h->directory[14].bytes = 72)
DAMAGE(object, h->characteristics &= ~2)
DAMAGE(console, h->subsystem = 3)
DAMAGE(efi, h->subsystem = 11)
DAMAGE(short_optional, h->optional_bytes = 100)
DAMAGE(long_optional, h->optional_bytes = 0xffff)
DAMAGE(odd_alignment, h->section_alignment = 0x1800)
DAMAGE(no_alignment, h->section_alignment = 0)
DAMAGE(huge_alignment, h->section_alignment = 0x40000000)
DAMAGE(file_alignment, h->file_alignment = 0x10)
DAMAGE(odd_base, h->image_base += 0x1000)
DAMAGE(huge, h->image_bytes = 0x7ffff000)
DAMAGE(no_bytes, h->image_bytes = 0)
DAMAGE(small_image, h->image_bytes = 0x3000)
DAMAGE(headers, h->header_bytes = 0x100000)
DAMAGE(entry, h->entry = 0xfffffff0)
DAMAGE(no_sections, h->section_count = 0)
DAMAGE(many_sections, h->section_count = 97)
DAMAGE(overlap, s[1].rva = s[0].rva)
DAMAGE(gap, s[6].rva += 0x1000; h->image_bytes += 0x1000)
DAMAGE(unaligned, s[1].rva += 0x200)
DAMAGE(raw_beyond, s[2].raw = 0xfffffe00)
DAMAGE(virtual_huge, s[2].virtual_bytes = 0xfffff000)
DAMAGE(check_wrong, h->check_sum = 1)
DAMAGE(import_beyond, h->directory[1].rva = 0x7000000)
DAMAGE(reloc_beyond, h->directory[5].bytes = 0x7000000)
DAMAGE(reloc_type, pe_put32(bytes + s[6].raw + 8, 0x50005000))
DAMAGE(reloc_block, pe_put32(bytes + s[6].raw + 4, 6))
DAMAGE(reloc_place, pe_put32(bytes + s[6].raw, 0x7ff000))
DAMAGE(fixed, h->characteristics |= 1)

static const struct damage damages[] = {
    {"i386", i386, 0xC000036B, "32-bit"},
    {"arm64", arm64, 0xC000007B, "ARM64"},
    {"itanium", itanium, 0xC000007B, "Itanium"},
    {"unknown", unknown, 0xC000007B, "0x1234"},
    {"pe32", pe32, 0xC000007B, "PE32+"},
    {"dotnet", dotnet, 0xC000007B, ".NET"},
    {"object", object, 0xC000007B, "not executable"},
    {"console", console, 0xC000007B, "console program"},
    {"efi", efi, 0xC000007B, "EFI"},
    {"short_optional", short_optional, 0xC000007B, "PE32+"},
    {"long_optional", long_optional, 0xC000007B, "PE header"},
    {"odd_alignment", odd_alignment, 0xC000007B, "alignments"},
    {"no_alignment", no_alignment, 0xC000007B, "alignments"},
    {"huge_alignment", huge_alignment, 0xC000007B, "alignments"},
    {"file_alignment", file_alignment, 0xC000007B, "alignments"},
    {"odd_base", odd_base, 0xC000007B, "64 KiB"},
    {"huge", huge, 0xC000007B, "1 GiB"},
    {"no_bytes", no_bytes, 0xC000007B, "size of 0"},
    {"small_image", small_image, 0xC000007B, "beyond the end"},
    {"headers", headers, 0xC000007B, "headers"},
    {"entry", entry, 0xC000007B, "entry point"},
    {"no_sections", no_sections, 0xC000007B, "0 sections"},
    {"many_sections", many_sections, 0xC000007B, "97 sections"},
    {"overlap", overlap, 0xC000007B, "overlaps"},
    {"gap", gap, 0xC000007B, "gap"},
    {"unaligned", unaligned, 0xC000007B, "not aligned"},
    {"raw_beyond", raw_beyond, 0xC000007B, "truncated"},
    {"virtual_huge", virtual_huge, 0xC000007B, "beyond the end"},
    {"check_wrong", check_wrong, 0xC0000221, "check sum"},
    {"import_beyond", import_beyond, 0xC000007B, "import table"},
    {"reloc_beyond", reloc_beyond, 0xC000007B, "relocation table"},
    {"reloc_type", reloc_type, 0xC000007B, "relocation table"},
    {"reloc_block", reloc_block, 0xC000007B, "relocation table"},
    {"reloc_place", reloc_place, 0xC000007B, "relocation table"},
    {"fixed", fixed, 0xC0000018, "no relocations"},
};

static void damaged_images_are_refused_with_status_and_reason(void **state)
{
    size_t size;
    uint8_t *good = file_read("msvc.sys", &size), *bytes = malloc(size);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        memcpy(bytes, good, size);
        file_headers(bytes)->check_sum = 0;
        struct pe_section *sections = file_sections(bytes);
        damages[i].apply(file_headers(bytes), sections, bytes);
        expect(bytes, size, damages[i].status, damages[i].word);
    }
    free(bytes);
    free(good);
}

static void an_image_cut_short_anywhere_is_refused(void **state)
{
    size_t size;
    uint8_t *good = file_read("msvc.sys", &size);
    struct image_file file;
    assert_true(image_parse(&file, good, size));
    for (size_t cut = 0; cut < size; cut += cut < 0x400 ? 1 : 7) {
        uint8_t *bytes = malloc(cut ? cut : 1); /* its own block, so that ASan sees a read behind the end */
        memcpy(bytes, good, cut);
        assert_false(image_parse(&file, bytes, cut));
        assert_true(file.info.status != 0 && file.info.reason[0]);
        free(bytes);
    }
    free(good);
}

static void a_right_check_sum_is_accepted_and_a_changed_byte_is_not(void **state)
{
    size_t size;
    uint8_t *bytes = file_read("gcc.sys", &size);
    struct image_file file;
    assert_true(file_headers(bytes)->check_sum != 0);
    assert_true(image_parse(&file, bytes, size));
    bytes[file_sections(bytes)[0].raw + 5] ^= 0x10;
    expect(bytes, size, 0xC0000221, "check sum");
    free(bytes);
}

static void a_fixed_image_maps_at_its_base_only(void **state)
{
    size_t size;
    const char *reason = NULL;
    uint8_t *bytes = file_read("msvc.sys", &size);
    struct image_file file;
    file_headers(bytes)->check_sum = 0;
    file_headers(bytes)->characteristics |= 1;
    file_headers(bytes)->image_base = DOOR_IMAGE_BASE + 0x10000;
    assert_true(image_parse(&file, bytes, size));
    uint8_t *memory = aligned_alloc(DOOR_PAGE, file.info.bytes);
    struct image_mapper mapper = {.bind = note_bind, .protect = note_protect};
    assert_false(image_map(&file, (uint64_t)memory, &mapper, &reason));
    assert_non_null(strstr(reason, "no relocations"));
    free(memory);
    free(bytes);
}

/* Old drivers whose sections are aligned to less than a page are one piece, file and image alike. */
static void a_small_alignment_image_is_one_piece(void **state)
{
    size_t size = 0x1200;
    const char *reason;
    uint8_t *bytes = calloc(1, size), *memory = aligned_alloc(DOOR_PAGE, 0x2000);
    struct notes notes = {.base = (uint64_t)memory};
    struct image_mapper mapper = {.context = &notes, .bind = note_bind, .protect = note_protect};
    struct image_file file;
    memcpy(bytes, "MZ", 2);
    pe_put32(bytes + 0x3c, 0x40);
    struct pe_headers *h = file_headers(bytes);
    *h = (struct pe_headers){.signature = 0x4550,
                             .machine = 0x8664,
                             .section_count = 2,
                             .characteristics = 2,
                             .optional_bytes = 240,
                             .magic = 0x20b,
                             .image_base = 0x10000,
                             .section_alignment = 0x20,
                             .file_alignment = 0x20,
                             .image_bytes = 0x1200,
                             .header_bytes = 0x400,
                             .subsystem = 1,
                             .entry = 0x400,
                             .directory_count = 16};
    struct pe_section *s = file_sections(bytes);
    s[0] = (struct pe_section){".text", 0x20, 0x400, 0x20, 0x400, .characteristics = 0x60000020};
    s[1] = (struct pe_section){".data", 0xde0, 0x420, 0xde0, 0x420, .characteristics = 0xc0000040};
    bytes[0x400] = 0xc3;
    bytes[0x11ff] = 0x77;
    assert_true(image_parse(&file, bytes, size));
    assert_int_equal(file.info.section_count, 0);
    assert_true(image_map(&file, (uint64_t)memory, &mapper, &reason));
    assert_int_equal(memory[0x400], 0xc3);
    assert_int_equal(memory[0x11ff], 0x77);
    assert_int_equal(memory[0x1fff], 0);
    assert_int_equal(notes.protection[0], 7);
    assert_int_equal(notes.protection[1], 7);
    s[1].raw = 0x440;
    expect(bytes, size, 0xC000007B, "truncated");
    s[1].raw_bytes = 0xdc0;
    expect(bytes, size, 0xC000007B, "elsewhere");
    free(bytes);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imports_are_listed_and_bound),
        cmocka_unit_test(pointers_are_relocated),
        cmocka_unit_test(exports_are_found_by_name_and_ordinal_and_listed),
        cmocka_unit_test(a_forwarder_gives_its_text),
        cmocka_unit_test(protections_follow_the_sections),
        cmocka_unit_test(sections_named_for_the_kernel_are_reported),
        cmocka_unit_test(cookie_comes_from_the_seed_and_guard_pointers_are_set),
        cmocka_unit_test(missing_unwind_data_is_noticed),
        cmocka_unit_test(files_of_other_kinds_are_refused),
        cmocka_unit_test(damaged_images_are_refused_with_status_and_reason),
        cmocka_unit_test(an_image_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_right_check_sum_is_accepted_and_a_changed_byte_is_not),
        cmocka_unit_test(a_fixed_image_maps_at_its_base_only),
        cmocka_unit_test(a_small_alignment_image_is_one_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
