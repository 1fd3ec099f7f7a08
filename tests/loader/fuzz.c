/*
 * Mutation fuzzer for the loader: fuzz [CASES [SEED]]. Takes the images of the three tool chains in turn, damages them
 * in a few places, and does everything the machine would: parse, list imports, map into memory of exactly the size
 * asked for, patch, walk the exports. Built with ASan and UBSan, so a step outside ends the program. Same arguments,
 * same cases. Half of the damage goes to headers and tables, where it matters; check sums are set to "none", or nearly
 * all cases would end there.
 */
#include "tests.h"
#include "mutate.h"

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
        uint8_t *copy = mutated(good[i % 4], &length);
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
