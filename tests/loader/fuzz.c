/*
 * Mutation fuzzer for the loader: fuzz [CASES [SEED]]. Takes the images of the three tool chains in turn, damages them
 * in a few places, and does everything the machine would: parse, list imports, map into memory of exactly the size
 * asked for, patch, walk the exports. Built with ASan and UBSan, so a step outside ends the program. Same arguments,
 * same cases. Half of the damage goes to headers and tables, where it matters; check sums are set to "none", or nearly
 * all cases would end there.
 */
#include "tests.h"

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state += 0x9e3779b97f4a7c15ull;
    uint64_t mix = random_state;
    mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ull;
    mix = (mix ^ mix >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)((mix ^ mix >> 31) >> 16) % limit;
}

static const uint32_t values[] = {0,       1,          2,          7,          0x10,       0x80,      0xff,
                                  0x100,   0x1000,     0x1001,     0x2000,     0x7fff,     0x8000,    0xffff,
                                  0x10000, 0x7fffffff, 0x80000000, 0xfffff000, 0xfffffffe, 0xffffffff};

static void mutate(uint8_t *bytes, size_t size, uint8_t *good)
{
    uint32_t at = random_below((uint32_t)size - 8);
    if (random_below(2)) /* DOS and PE headers, section table */
        at = random_below(0x400);
    else if (random_below(2)) { /* the start of a section: tables */
        struct pe_section *sections = file_sections(good);
        uint32_t raw = sections[random_below(file_headers(good)->section_count)].raw;
        at = raw < size - 0x208 ? raw + random_below(0x200) : at;
    }
    switch (random_below(6)) {
    case 0:
        bytes[at] ^= 1 << random_below(8);
        break;
    case 1:
        bytes[at] = (uint8_t)random_below(256);
        break;
    case 2:
        pe_put32(bytes + (at & ~3u), values[random_below(sizeof values / sizeof values[0])]);
        break;
    case 3:
        pe_put32(bytes + (at & ~3u), pe_get32(bytes + (at & ~3u)) + random_below(64) - 32);
        break;
    case 4:
        pe_put32(bytes + (at & ~3u), random_below(0x10000));
        break;
    case 5:
        memmove(bytes + at, bytes + random_below((uint32_t)size - 64), random_below(64) < size - at ? 8 : 4);
        break;
    }
}

static bool run(const uint8_t *bytes, size_t size, struct patch_table *table)
{
    static const struct door_up up = {.write_cr8 = 1, .enable_interrupts = 2, .pause = 3};
    struct image_file file;
    struct image_import import = {0};
    struct notes notes = {0};
    const char *reason;

    if (!image_parse(&file, bytes, size)) {
        if (file.info.status == 0 || file.info.reason[0] == 0 || memchr(file.info.reason, 0, 160) == NULL)
            abort();
        return false;
    }
    image_lacks_unwind(&file);
    while (image_import_next(&file, &import))
        ;
    if (file.info.bytes > 16u << 20)
        return true; /* legal, but mapping gigabytes is not what is tested here */

    uint8_t *memory = malloc((size_t)file.info.bytes + file.info.extra_bytes);
    notes.base = (uint64_t)memory;
    struct image_mapper mapper = {.context = &notes,
                                  .bind = note_bind,
                                  .protect = note_protect,
                                  .cookie_seed = 1,
                                  .guard_check = 1,
                                  .guard_dispatch = 2,
                                  .shared_data = 0x1000,
                                  .patch = true,
                                  .up = &up,
                                  .table = table};
    if (image_map(&file, (uint64_t)memory, &mapper, &reason)) {
        uint32_t index = 0, rva;
        const char *name, *forwarder;
        while (image_export_next(memory, file.info.bytes, &index, &name, &rva))
            image_export_find(memory, file.info.bytes, name, 0, &forwarder);
        image_export_find(memory, file.info.bytes, NULL, random_below(100), &forwarder);
    } else if (!reason || !reason[0]) {
        abort();
    }
    patch_remove(table, (uint64_t)memory, file.info.bytes);
    if (table->count != 0)
        abort();
    free(memory);
    return true;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"gcc.sys", "clang.sys", "msvc.sys", "bare.sys"};
    uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 0) : 10000, loaded = 0;
    struct patch_table table = {.capacity = 1024, .scratch_bytes = 8 << 20};
    uint8_t *good[4];
    size_t size[4];

    random_state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    table.site = malloc(table.capacity * sizeof *table.site);
    table.scratch = malloc(table.scratch_bytes);
    for (int i = 0; i < 4; i++)
        good[i] = file_read(names[i], &size[i]);
    for (uint64_t i = 0; i < cases; i++) {
        /* An exact copy on the heap, cut short now and then, so that any read behind it is seen. */
        size_t length = size[i % 4];
        uint8_t *copy = malloc(length);
        memcpy(copy, good[i % 4], length);
        file_headers(copy)->check_sum = 0;
        for (uint32_t n = 1 + random_below(4); n; n--)
            mutate(copy, length, good[i % 4]);
        if (random_below(16) == 0)
            copy = realloc(copy, length = 1 + random_below((uint32_t)length));
        loaded += run(copy, length, &table);
        free(copy);
    }
    printf("fuzz: %llu cases, %llu loaded\n", (unsigned long long)cases, (unsigned long long)loaded);
    for (int i = 0; i < 4; i++)
        free(good[i]);
    free(table.site);
    free(table.scratch);
    return 0;
}
