/* Names, lines and objects from images with DWARF, with a PDB beside them or elsewhere, and with nothing. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "report/pdb.h"
#include "report/symbols.h"
#include "report/symtab.h"

#define BASE 0x1a0010000000ull
#define DWARF "build/tests/report/dwarf/names.sys"
#define PDB "build/tests/report/pdb/names.sys"

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    uint8_t *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static uint32_t rva_of(const char *path, const char *name)
{
    struct symtab t;
    size_t size;
    char found[4096];
    uint8_t *bytes = read_file(path, &size);
    uint32_t rva = 0;
    assert_true(symtab_open(&t, bytes, size));
    pdb_read(&t, path, NULL, found, sizeof found);
    for (size_t i = 0; i < t.name_count && !rva; i++)
        if (!strcmp(t.names[i].text, name))
            rva = t.names[i].rva;
    symtab_close(&t);
    free(bytes);
    assert_int_not_equal(rva, 0);
    return rva;
}

static struct symbols *load(const char *path, const char *directory)
{
    struct door_event_image image = {.base = BASE, .bytes = 0x20000, .driver = 1, .name = "names.sys"};
    struct symbols *s = symbols_open(NULL, directory);
    symbols_file(s, "NAMES.SYS", path);
    symbols_image(s, &image);
    return s;
}

static void check(struct symbols *s, const char *path)
{
    struct symbols_frame frame[SYMBOLS_INLINES];
    char text[160];
    unsigned n = symbols_resolve(s, BASE + rva_of(path, "TimerDpc") + 1, SYMBOLS_EXACT, frame);
    assert_string_equal(frame[n - 1].function, "TimerDpc");
    assert_int_equal(frame[n - 1].function_offset, 1);
    assert_string_equal(symbols_base(frame[n - 1].file), "names.c");
    assert_true(frame[n - 1].driver);
    assert_string_equal(symbols_object(s, BASE + rva_of(path, "StaticTimer"), text, sizeof text), "'StaticTimer'");
    assert_string_equal(symbols_object(s, BASE + rva_of(path, "Counter") + 4, text, sizeof text), "'Counter'+0x4");
}

static void names_with_dwarf(void **state)
{
    struct symbols *s = load(DWARF, NULL);
    check(s, DWARF);
    symbols_close(s);
}

static void names_with_pdb(void **state)
{
    struct symbols *s = load(PDB, NULL);
    check(s, PDB);
    symbols_close(s);
}

/* The image in one folder, its PDB in another; and the linker's folder is gone. */
static void pdb_in_symbols_directory(void **state)
{
    char folder[] = "/tmp/irqlab-test-XXXXXX", path[64], moved[128], command[512];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/names.sys", folder);
    snprintf(moved, sizeof moved, "%s/symbols/names.pdb", folder);
    snprintf(command, sizeof command, "mkdir %s/symbols && cp " PDB " %s && cp build/tests/report/pdb/names.pdb %s",
             folder, path, moved);
    assert_int_equal(system(command), 0);
    /* same length, so that the path in the image names nothing */
    snprintf(command, sizeof command, "sed -i 's|report/pdb.names.pdb|report/xxx/names.pdb|' %s", path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "%s/symbols", folder);
    struct symbols *s = load(path, command);
    check(s, PDB);
    symbols_close(s);
    assert_int_equal(system("ls -d /tmp/irqlab-symbols-* 2>/dev/null"), 0x200); /* nothing left */
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void pdb_of_another_build_is_ignored(void **state)
{
    struct symtab t;
    size_t size;
    char found[4096];
    uint8_t *bytes = read_file(PDB, &size);
    for (size_t i = 0; i + 4 < size; i++)
        if (!memcmp(bytes + i, "RSDS", 4))
            bytes[i + 4] ^= 1;
    assert_true(symtab_open(&t, bytes, size));
    assert_false(pdb_read(&t, PDB, NULL, found, sizeof found));
    symtab_close(&t);
    free(bytes);
}

/* Every prefix of an image and of a PDB, and files with single bytes changed: no crash (the sanitizers' business). */
static void damaged_files_are_harmless(void **state)
{
    size_t size;
    uint8_t *bytes = read_file(DWARF, &size), *copy;
    uint32_t random = 1;
    for (size_t n = 0; n < size; n += n < 2048 ? 1 : 997) {
        struct symtab t;
        copy = malloc(n ? n : 1);
        memcpy(copy, bytes, n);
        symtab_open(&t, copy, n);
        symtab_close(&t);
        free(copy);
    }
    for (int i = 0; i < 3000; i++) {
        struct symtab t;
        random = random * 1664525 + 1013904223;
        size_t at = random % 2048;
        uint8_t old = bytes[at];
        bytes[at] = (uint8_t)(random >> 24);
        symtab_open(&t, bytes, size);
        symtab_nearest(&t, 0x1010, SYMTAB_FUNCTION);
        symtab_function_start(&t, 0x1010);
        symtab_called(&t, 0x1016);
        symtab_close(&t);
        bytes[at] = old;
    }
    free(bytes);
}

static void damaged_pdb_is_harmless(void **state)
{
    size_t size, pdb_size;
    char folder[] = "/tmp/irqlab-test-XXXXXX", path[64], found[4096];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/names.pdb", folder);
    uint8_t *bytes = read_file(PDB, &size), *pdb = read_file("build/tests/report/pdb/names.pdb", &pdb_size);
    uint32_t random = 1;
    for (int i = 0; i < 300; i++) {
        struct symtab t;
        random = random * 1664525 + 1013904223;
        size_t at = i < 100 ? random % 64 : random % pdb_size;
        uint8_t old = pdb[at];
        pdb[at] = (uint8_t)(random >> 24);
        FILE *file = fopen(path, "w");
        fwrite(pdb, 1, i % 7 ? pdb_size : pdb_size / 2, file);
        fclose(file);
        symtab_open(&t, bytes, size);
        pdb_read(&t, "/nonexistent/names.sys", folder, found, sizeof found);
        symtab_close(&t);
        pdb[at] = old;
    }
    free(bytes);
    free(pdb);
    unlink(path);
    rmdir(folder);
}

static void nothing_known(void **state)
{
    struct symbols_frame frame[SYMBOLS_INLINES];
    struct symbols *s = load("/nonexistent", NULL);
    char text[160];
    assert_int_equal(symbols_resolve(s, BASE + 0x1234, SYMBOLS_RETURN, frame), 1);
    assert_string_equal(frame[0].module, "names.sys");
    assert_int_equal(frame[0].offset, 0x1234);
    assert_null(frame[0].function);
    assert_int_equal(symbols_resolve(s, 0x4141414141414141, SYMBOLS_RETURN, frame), 1);
    assert_null(frame[0].module);
    assert_string_equal(symbols_object(s, DOOR_LINEAR_BASE + 0x40, text, sizeof text), "pool+0x40");
    assert_string_equal(symbols_object(s, DOOR_PAGED_BASE + 0x40, text, sizeof text), "paged+0x40");
    assert_string_equal(symbols_object(s, DOOR_STACK_BASE + 3 * DOOR_STACK_SLOT + 0x10, text, sizeof text),
                        "stack 3+0x10");
    symbols_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_with_dwarf),
        cmocka_unit_test(names_with_pdb),
        cmocka_unit_test(pdb_in_symbols_directory),
        cmocka_unit_test(pdb_of_another_build_is_ignored),
        cmocka_unit_test(damaged_files_are_harmless),
        cmocka_unit_test(damaged_pdb_is_harmless),
        cmocka_unit_test(nothing_known),
    };
    return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
