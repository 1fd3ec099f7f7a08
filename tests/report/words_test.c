/* What a user types (times, sizes, numbers, names) and what a scenario may do. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/near.h"
#include "cli/options.h"
#include "door.h"
#include "scenario/scenario.h"

static void times_and_sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good_times[] = {{"10s", 100000000}, {"500ms", 5000000}, {"2m", 1200000000}, {"1h", 36000000000}, {"0s", 0},
                      {"1.5s", 15000000}, {"3us", 30},        {"7", 70000000},    {"0.0000001s", 1}};
    static const char *const bad_times[] = {"",
                                            "s",
                                            "-1s",
                                            "1x",
                                            "1 s",
                                            "1.s",
                                            ".5s",
                                            "1e3s",
                                            "99999999999999999999s",
                                            "1s ",
                                            "0x10s",
                                            "1.2.3s",
                                            "999999999999999h"};
    uint64_t value;
    for (size_t i = 0; i < sizeof good_times / sizeof *good_times; i++) {
        assert_true(options_time(good_times[i].text, &value));
        assert_int_equal(value, good_times[i].value);
    }
    for (size_t i = 0; i < sizeof bad_times / sizeof *bad_times; i++)
        assert_false(options_time(bad_times[i], &value));
    assert_true(options_size("256M", &value));
    assert_int_equal(value, 256 << 20);
    assert_false(options_size("256X", &value));
    assert_false(options_size("99999999999G", &value));
}

static void numbers(void **state)
{
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x", "abc", "1.5", "18446744073709551616", "0xg"};
    uint64_t value;
    assert_true(options_number("18446744073709551615", &value) && value == UINT64_MAX);
    assert_true(options_number("0x1F", &value) && value == 31);
    assert_true(options_number("010", &value) && value == 10);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(options_number(bad[i], &value));
}

static void quoting(void **state)
{
    char text[64] = "";
    options_quote(text, sizeof text, "a b");
    assert_string_equal(text, "'a b'");
    *text = 0;
    options_quote(text, sizeof text, "it's");
    assert_string_equal(text, "'it'\\''s'");
    *text = 0;
    options_quote(text, sizeof text, "");
    assert_string_equal(text, "''");
    *text = 0;
    options_quote(text, sizeof text, "../x.sys");
    assert_string_equal(text, "../x.sys");
}

static void near_names(void **state)
{
    assert_int_equal(near_distance("ExInitalizeWorkItem", "ExInitializeWorkItem", 5), 1);
    assert_int_equal(near_distance("abcd", "abdc", 5), 1);
    assert_int_equal(near_distance("KESETTIMER", "KeSetTimer", 5), 0);
    assert_int_equal(near_distance("", "abc", 5), 3);
    assert_int_equal(near_distance("abcdef", "uvwxyz", 3), 4);
    struct near near;
    near_begin(&near, "--sed");
    near_offer(&near, "--record");
    near_offer(&near, "--seed");
    assert_int_equal(near.count, 1);
    assert_string_equal(near.best[0], "--seed");
}

/* ---- Scenarios ------------------------------------------------------------------------------------------------- */

struct fake {
    uint64_t advanced;
    unsigned loads, unloads;
    bool ends; /* the machine ends in the next advance */
};

static bool fake_advance(void *context, uint64_t time)
{
    struct fake *f = context;
    f->advanced += time;
    return !f->ends;
}

static bool fake_load(void *context, const char *name, uint32_t *status)
{
    ((struct fake *)context)->loads++;
    *status = 0xC0000001;
    return true;
}

static bool fake_unload(void *context, const char *name, uint32_t *status)
{
    ((struct fake *)context)->unloads++;
    *status = 0;
    return true;
}

static bool fake_known(void *context, const char *name)
{
    return !strcmp(name, "a.sys");
}

static bool fake_snapshot(void *context)
{
    return true;
}

/* What reached the machine last; it has two processors, and room for a third. */
static uint32_t fired;
static uint64_t fired_value;

static bool fake_command(void *context, uint32_t code, uint64_t *value, uint32_t *status)
{
    fired = code;
    fired_value = *value;
    *status = *value < 2 ? 0 : 0xc000000d;
    if (code == DOOR_COMMAND_ADD_PROCESSOR)
        *value = 3;
    return true;
}

static char printed[4096];

static struct scenario_result play(struct fake *fake, const char *script)
{
    char *out = NULL;
    size_t bytes;
    struct scenario_result result;
    struct scenario_machine machine = {.context = fake,
                                       .advance = fake_advance,
                                       .load = fake_load,
                                       .unload = fake_unload,
                                       .known = fake_known,
                                       .snapshot = fake_snapshot,
                                       .command = fake_command,
                                       .out = open_memstream(&out, &bytes),
                                       .seed = 7};
    scenario_run("test.lua", script, strlen(script), &machine, &result);
    fclose(machine.out);
    snprintf(printed, sizeof printed, "%s", out);
    free(out);
    return result;
}

static void scenario_operates_the_machine(void **state)
{
    struct fake f = {0};
    struct scenario_result r = play(&f, "advance(1.5)\nprint(load('a.sys'), unload('a.sys'))\nexpect_bugcheck(0xD1)");
    assert_string_equal(r.error, "");
    assert_int_equal(f.advanced, 15000000);
    assert_int_equal(f.loads, 1);
    assert_int_equal(f.unloads, 1);
    assert_string_equal(printed, "3221225473\t0\n");
    assert_true(r.expects_bugcheck && r.bugcheck == 0xd1);
}

static void scenario_fires_the_sources(void **state)
{
    static const struct {
        const char *script;
        uint32_t code;
        uint64_t value;
        const char *error, *printed;
    } cases[] = {
        {"nmi()", DOOR_COMMAND_NMI, 0, "", ""},
        {"nmi(1)", DOOR_COMMAND_NMI, 1, "", ""},
        {"nmi(2)", DOOR_COMMAND_NMI, 2, "test.lua:1: bad argument #1 to 'nmi' (the machine has no such processor)", ""},
        {"machine_check(1)", DOOR_COMMAND_MACHINE_CHECK, 1, "", ""},
        {"profile_tick(1)", DOOR_COMMAND_PROFILE_TICK, 1, "", ""},
        {"power_fail()", DOOR_COMMAND_POWER, 0, "", ""},
        {"power_return()", DOOR_COMMAND_POWER, 1, "", ""},
        {"print(add_processor())", DOOR_COMMAND_ADD_PROCESSOR, 0, "", "3\n"},
        {"nmi(-1)", 0, 0, "test.lua:1: bad argument #1 to 'nmi' (a processor's number expected)", ""},
        {"nmi(64)", 0, 0, "test.lua:1: bad argument #1 to 'nmi' (a processor's number expected)", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake f = {0};
        fired = 0;
        fired_value = 0;
        struct scenario_result r = play(&f, cases[i].script);
        assert_string_equal(r.error, cases[i].error);
        assert_int_equal(fired, cases[i].code);
        assert_int_equal(fired_value, cases[i].value);
        assert_string_equal(printed, cases[i].printed);
    }
}

static void scenario_errors_name_the_line(void **state)
{
    static const struct {
        const char *script, *error;
    } bad[] = {
        {"advance(", "test.lua:1: unexpected symbol near <eof>"},
        {"\n\nadvance('x')", "test.lua:3: bad argument #1 to 'advance' (number expected, got string)"},
        {"advance(-1)", "test.lua:1: bad argument #1 to 'advance' (seconds from 0 to 1e9 expected)"},
        {"advance(0/0)", "test.lua:1: bad argument #1 to 'advance' (seconds from 0 to 1e9 expected)"},
        {"load('b.sys')",
         "test.lua:1: bad argument #1 to 'load' (no driver of that name was given on the command line)"},
        {"error({})", "test.lua: an error that is no text"},
        {"\x1bLua", "test.lua: attempt to load a binary chunk (mode is 't')"},
        {"local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", "test.lua: not enough memory"},
        {"while true do pcall(function() while true do end end) end", "test.lua:1: the script runs for too long"},
        {"local function f() return f() + 1 end f()", "test.lua: not enough memory"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fake f = {0};
        struct scenario_result r = play(&f, bad[i].script);
        if (strncmp(r.error, bad[i].error, strlen(bad[i].error)))
            fail_msg("%s\n  gives: %s\n  not:   %s", bad[i].script, r.error, bad[i].error);
        assert_null(strchr(r.error, '\n'));
    }
}

static void scenario_reaches_nothing(void **state)
{
    static const char *const gone[] = {"io",    "os",      "require",        "dofile",      "loadfile",
                                       "debug", "package", "collectgarbage", "string.dump", "coroutine"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        struct fake f = {0};
        char script[64];
        snprintf(script, sizeof script, "print(%s)", gone[i]);
        assert_string_equal(play(&f, script).error, "");
        assert_string_equal(printed, "nil\n");
    }
}

/* Two runs of the same scenario print the same. */
static void scenario_is_repeatable(void **state)
{
    static const char script[] = "local t = {} for i = 1, 50 do t['k' .. i] = i; t[i * 3] = i end\n"
                                 "for k, v in pairs(t) do print(k, v) end\n"
                                 "print(t, print, tostring(t), string.format('%s %d', t, 5), math.random(1000))\n"
                                 "t.k1 = nil for k in pairs(t) do t[k] = nil end print(next(t))\n"
                                 "print(pcall(string.format, '%p', t))";
    struct fake f = {0};
    char first[sizeof printed];
    assert_string_equal(play(&f, script).error, "");
    strcpy(first, printed);
    assert_null(strstr(first, "0x"));
    for (int i = 0; i < 10; i++) {
        assert_string_equal(play(&f, script).error, "");
        assert_string_equal(printed, first);
    }
}

static void scenario_ends_with_the_machine(void **state)
{
    struct fake f = {.ends = true};
    struct scenario_result r = play(&f, "expect_bugcheck(10) while true do pcall(advance, 1) end");
    assert_string_equal(r.error, "");
    assert_int_equal(f.advanced, 10000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_and_sizes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(quoting),
        cmocka_unit_test(near_names),
        cmocka_unit_test(scenario_operates_the_machine),
        cmocka_unit_test(scenario_fires_the_sources),
        cmocka_unit_test(scenario_errors_name_the_line),
        cmocka_unit_test(scenario_reaches_nothing),
        cmocka_unit_test(scenario_is_repeatable),
        cmocka_unit_test(scenario_ends_with_the_machine),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
