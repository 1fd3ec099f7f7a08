/*
 * Registry text: what is read, what is refused and with which line, what comes back after writing; and, as `parse_test
 * fuzz CASES`, damaged texts under ASan and UBSan. Same arguments, same cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "registry/registry.h"

static struct registry_stream stream;
static char why[256];

static bool parse(const char *text)
{
    free(stream.bytes);
    stream = (struct registry_stream){0};
    *why = 0;
    return registry_parse(&stream, text, strlen(text), why);
}

#define HEAD "Windows Registry Editor Version 5.00\r\n\r\n"

/* One line for each record: op, key, name, type, data in hexadecimal. */
static char *dump(void)
{
    static char text[4096];
    struct registry_record r;
    size_t at = 0, used = 0;
    *text = 0;
    while (registry_next(&stream, &at, &r)) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%u ", r.header.op);
        for (size_t i = 0; i < r.header.key_bytes / 2u; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%c", r.key[i] < 128 ? r.key[i] : '?');
        used += (size_t)snprintf(text + used, sizeof text - used, " ");
        for (size_t i = 0; i < r.header.name_bytes / 2u; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%c", r.name[i] < 128 ? r.name[i] : '?');
        used += (size_t)snprintf(text + used, sizeof text - used, " %u ", r.header.type);
        for (size_t i = 0; i < r.header.data_bytes; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%02x", r.data[i]);
        used += (size_t)snprintf(text + used, sizeof text - used, "\n");
    }
    return text;
}

static void every_kind_of_line_is_read(void **state)
{
    assert_true(parse(HEAD "; a comment\r\n[HKEY_LOCAL_MACHINE\\Soft]\r\n@=\"a\\\\b\\\"c\"\r\n\"n\"=dword:2A\r\n"
                           "\"b\"=hex:01,2, 3\r\n\"e\"=hex(2):41,\\\r\n  00,00,00\r\n\"gone\"=-\r\n[-HKLM\\Old]\r\n"));
    assert_string_equal(dump(), "1 MACHINE\\Soft  0 \n"
                                "2 MACHINE\\Soft  1 61005c006200220063000000\n"
                                "2 MACHINE\\Soft n 4 2a000000\n"
                                "2 MACHINE\\Soft b 3 010203\n"
                                "2 MACHINE\\Soft e 2 41000000\n"
                                "3 MACHINE\\Soft gone 0 \n"
                                "4 MACHINE\\Old  0 \n");
    assert_true(parse("REGEDIT4\n\n[HKEY_USERS\\x]\n\"m\"=hex(7):61,00,00\n"));
    assert_string_equal(dump(), "1 USER\\x  0 \n2 USER\\x m 7 610000000000\n");
    assert_true(parse(HEAD "[HKEY_CURRENT_USER]\n[HKLM\\a]b]\n"));
    assert_string_equal(dump(), "1 USER\\S-1-5-18  0 \n1 MACHINE\\a]b  0 \n");
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {{"", "line 1: neither \"Windows"},
                {HEAD "[HKLM\\a", "line 3: the key's ]"},
                {HEAD "[NOBODY\\a]", "line 3: a key begins"},
                {HEAD "\"a\"=dword:1", "line 3: a value without a key"},
                {HEAD "[HKLM]\n\"a", "line 4: a \" is missing"},
                {HEAD "[HKLM]\n\"a\"dword:1", "line 4: a value's name is followed"},
                {HEAD "[HKLM]\n\"a\"=dword:123456789", "line 4: dword:"},
                {HEAD "[HKLM]\n\"a\"=hex:1g", "line 4: bytes have"},
                {HEAD "[HKLM]\n\"a\"=hex:01,\\ x", "line 4: a \\ ends"},
                {HEAD "[HKLM]\n\n\"a\"=1", "line 5: a value is"},
                {HEAD "[HKLM]\nplain", "line 4: neither a [key]"},
                {HEAD "[HKLM] more", "line 3: something follows"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(parse(rows[i].text));
        assert_memory_equal(why, rows[i].why, strlen(rows[i].why));
    }
}

static void what_is_written_reads_the_same(void **state)
{
    char *text = NULL, before[4096];
    size_t size = 0;
    assert_true(parse(
        HEAD "[HKLM\\Soft]\n@=\"plain\"\n\"q\\\"\\\\\"=\"\"\n\"d\"=dword:ffffffff\n\"x\"=hex(b):01,02\n\"long\"=hex:"
             "00,11,22,33,44,55,66,77,88,99,aa,bb,cc,dd,ee,ff,00,11,22,33,44,55,66,77,88,99,aa,bb,cc,dd,ee,ff\n"
             "[HKEY_USERS\\.DEFAULT]\n\"odd\"=hex(1):41\n"));
    strcpy(before, dump());
    FILE *out = open_memstream(&text, &size);
    assert_true(registry_write(&stream, out));
    fclose(out);
    free(stream.bytes);
    stream = (struct registry_stream){0};
    assert_true(registry_parse(&stream, text, size, why));
    assert_string_equal(dump(), before);
    free(text);
}

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

static uint64_t state = 1;

static uint32_t random_below(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % limit);
}

static void fuzz(unsigned cases)
{
    static const char seed[] =
        HEAD "[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\n@=\"x\\\\y\"\n\"n\"=dword:12\n\"h\"=hex(7):61,00,\\\n 00,00\n"
             "\"g\"=-\n;c\n[-HKCU\\B]\n[HKLM\\C]\n\"\\\"\"=hex:\n";
    static const char pieces[] = "[]\"=-@;\\:,()\n\r\0x0fF hexdword";
    unsigned good = 0;
    for (unsigned i = 0; i < cases; i++) {
        uint8_t *text = malloc(2 * sizeof seed + 64);
        size_t size = sizeof seed - 1;
        memcpy(text, seed, size);
        if (i % 3 == 1)
            memcpy(text, "REGEDIT4                            ", 36);
        for (unsigned n = 1 + random_below(6); n--;) {
            size_t at = random_below((uint32_t)size);
            switch (random_below(4)) {
            case 0:
                text[at] = (uint8_t)random_below(256);
                break;
            case 1:
                text[at] = (uint8_t)pieces[random_below(sizeof pieces - 1)];
                break;
            case 2:
                size = at + 1;
                break;
            default:
                memmove(text + at + 1, text + at, size - at);
                text[at] = (uint8_t)pieces[random_below(sizeof pieces - 1)];
                size++;
            }
        }
        if (i % 4 == 2) { /* as UTF-16 */
            for (size_t k = size; k--;) {
                text[2 * k] = text[k];
                text[2 * k + 1] = (uint8_t)(random_below(50) ? 0 : random_below(256));
            }
            size = 2 * size - random_below(2);
        }
        uint8_t *exact = malloc(size ? size : 1); /* a byte beyond is found */
        memcpy(exact, text, size);
        struct registry_stream s = {0};
        struct registry_record r;
        *why = 0;
        bool ok = registry_parse(&s, exact, size, why);
        if (!ok && !*why)
            abort();
        for (size_t at = 0; registry_next(&s, &at, &r);)
            good += ok;
        free(s.bytes);
        free(exact);
        free(text);
    }
    printf("%u cases, %u records in good ones\n", cases, good);
    if (!good)
        exit(1);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "fuzz")) {
        fuzz((unsigned)atoi(argv[2]));
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_of_line_is_read),
                                       cmocka_unit_test(what_is_wrong_is_told_with_its_line),
                                       cmocka_unit_test(what_is_written_reads_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
