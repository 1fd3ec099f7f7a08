/* Records: what is written is read again; what was changed in any place is refused, with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "explore/record.h"
#include "explore/strategy.h"

static struct door_pick picks[3] = {{7, 2, 0}, {8, 1, 0}, {4000000000u, 65535, 0}};

static void fill(struct record *r)
{
    memset(r, 0, sizeof *r);
    strcpy(r->irqlab, "0.1.0");
    r->door = 2;
    memset(r->kernel, 'a', DIGEST_HEX - 1);
    memset(r->events, '0', DIGEST_HEX - 1);
    strcpy(r->driver[0].path, "a b/stuck.sys");
    memset(r->driver[0].hash, '1', DIGEST_HEX - 1);
    r->drivers = 1;
    strcpy(r->scenario.path, "s.lua");
    memset(r->scenario.hash, '2', DIGEST_HEX - 1);
    r->cpus = 2;
    r->ram = 256 << 20;
    r->seed = UINT64_MAX;
    r->time = 100000000;
    r->strategy = DOOR_PLAN;
    r->every = 1;
    r->pick = picks;
    r->picks = 3;
    strcpy(r->cause.rule, "driver.bugcheck");
    strcpy(r->cause.place, "stuck.sys+0x1");
    strcpy(r->cause.text, "a text with blanks ");
    r->cause.code = 0xE2;
}

static char *written(const struct record *r, size_t *bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, bytes);
    assert_true(record_write(r, out));
    fclose(out);
    return text;
}

static void a_record_is_read_as_it_was_written(void **state)
{
    struct record *r = malloc(sizeof *r), *again = malloc(sizeof *again);
    char why[256];
    size_t bytes, bytes2;
    fill(r);
    char *text = written(r, &bytes);
    if (!record_read(again, text, bytes, why))
        fail_msg("%s", why);
    char *text2 = written(again, &bytes2);
    assert_string_equal(text, text2);
    assert_int_equal(again->picks, 3);
    assert_memory_equal(again->pick, picks, sizeof picks);
    assert_true(cause_same(&again->cause, &r->cause));
    assert_int_equal(again->seed, UINT64_MAX);
    record_free(again);
    free(text);
    free(text2);
    free(r);
    free(again);
}

static void refused(const char *text, size_t bytes)
{
    static struct record r;
    char why[256];
    if (record_read(&r, text, bytes, why))
        fail_msg("a changed record was accepted");
    assert_true(*why && !strchr(why, '\n'));
    record_free(&r);
}

static void a_changed_or_cut_record_is_refused(void **state)
{
    struct record *r = malloc(sizeof *r);
    size_t bytes;
    fill(r);
    char *text = written(r, &bytes);
    for (size_t i = 0; i < bytes; i++) {
        refused(text, i);
        for (int bit = 0; bit < 8; bit++) {
            text[i] ^= (char)(1 << bit);
            refused(text, bytes);
            text[i] ^= (char)(1 << bit);
        }
    }
    char *longer = malloc(bytes + 2);
    memcpy(longer, text, bytes);
    strcpy(longer + bytes, "\n");
    refused(longer, bytes + 1);
    free(longer);
    free(text);
    free(r);
}

/* The check sum is right, the contents are not. */
static void what_cannot_be_is_refused(void **state)
{
    struct record *r = malloc(sizeof *r);
    char *text;
    size_t bytes;
    fill(r);
    r->cpus = 65;
    text = written(r, &bytes);
    refused(text, bytes);
    free(text);
    fill(r);
    r->cpus = 0;
    text = written(r, &bytes);
    refused(text, bytes);
    free(text);
    fill(r);
    r->drivers = 0;
    text = written(r, &bytes);
    refused(text, bytes);
    free(text);
    fill(r);
    struct door_pick unordered[2] = {{9, 1, 0}, {9, 1, 0}};
    r->pick = unordered;
    r->picks = 2;
    text = written(r, &bytes);
    refused(text, bytes);
    free(text);
    fill(r);
    strcpy(r->driver[0].path, "two\nlines");
    FILE *null = fopen("/dev/null", "w");
    assert_false(record_write(r, null));
    fclose(null);
    free(r);
}

/* ---- Records that somebody has changed and signed again ---------------------------------------------------------- */

enum { MUTATIONS = 20000 };

static uint64_t state = 88172645463325252ull;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? state % n : 0;
}

static size_t line_at(const char *text, size_t bytes, size_t *end)
{
    size_t from = below(bytes);
    while (from && text[from - 1] != '\n')
        from--;
    for (*end = from; *end < bytes && text[*end] != '\n'; ++*end)
        ;
    *end += *end < bytes;
    return from;
}

/* One change to text[0, bytes), which has room for as much again: a byte, a digit, a line gone, doubled or moved, a cut. */
static size_t mutate(char *text, size_t bytes)
{
    static const char digits[] = "0123456789 -+x";
    char line[4096];
    size_t end, from = line_at(text, bytes, &end), length = end - from, to;
    switch (below(6)) {
    case 0:
        text[below(bytes)] = (char)below(256);
        return bytes;
    case 1:
        to = below(bytes);
        if (text[to] >= '0' && text[to] <= '9')
            text[to] = digits[below(sizeof digits - 1)];
        return bytes;
    case 2:
        memmove(text + from, text + end, bytes - end);
        return bytes - length;
    case 3:
        if (length > sizeof line)
            return bytes;
        memcpy(line, text + from, length);
        memmove(text + end + length, text + end, bytes - end);
        memcpy(text + end, line, length);
        return bytes + length;
    case 4:
        to = below(bytes);
        memmove(text + to + 20, text + to, bytes - to);
        memset(text + to, "9a \n"[below(4)], 20);
        return bytes + 20;
    default:
        return below(bytes);
    }
}

static void a_forged_record_is_refused_or_means_what_it_says(void **context)
{
    static struct record r;
    struct record *good = malloc(sizeof *good);
    size_t bytes, bytes2, accepted = 0;
    char why[256], hex[DIGEST_HEX];
    fill(good);
    char *text = written(good, &bytes), *work = malloc(4 * bytes + 4096);
    const size_t tail = strlen("check ") + DIGEST_HEX;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        size_t n = bytes - tail;
        memcpy(work, text, n);
        for (size_t k = below(3) + 1; k && n && n < 2 * bytes; k--)
            n = mutate(work, n);
        digest_of(work, n, hex);
        n += (size_t)sprintf(work + n, "check %s\n", hex);
        if (!record_read(&r, work, n, why)) {
            assert_true(*why && !strchr(why, '\n'));
            record_free(&r);
            continue;
        }
        /* What was accepted is a record: written again it reads the same. */
        accepted++;
        char *again = written(&r, &bytes2);
        static struct record r2;
        if (!record_read(&r2, again, bytes2, why))
            fail_msg("what was read is refused when written: %s", why);
        assert_true(r.cpus >= 1 && r.cpus <= DOOR_PROCESSORS && r.drivers && r.picks == r2.picks);
        assert_true(!memcmp(&r.cause, &r2.cause, sizeof r.cause) && r.seed == r2.seed);
        record_free(&r2);
        record_free(&r);
        free(again);
    }
    assert_true(accepted && accepted < MUTATIONS / 2);
    free(text);
    free(work);
    free(good);
}

static void digests_are_sha256(void **state)
{
    char hex[DIGEST_HEX];
    digest_of("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_of("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void strategies_are_read(void **state)
{
    static const char *const good[] = {"in-order", "random", "pct", "pct:3", "search", "search:0", "search:64"};
    static const char *const wrong[] = {"",         "pct:",     "pct:0", "pct:17",   "search:65",
                                        "search:x", "random:1", "rand",  "search:1 "};
    struct strategy s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(strategy_read(&s, good[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(strategy_read(&s, wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(a_changed_or_cut_record_is_refused),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_forged_record_is_refused_or_means_what_it_says),
        cmocka_unit_test(digests_are_sha256),
        cmocka_unit_test(strategies_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
