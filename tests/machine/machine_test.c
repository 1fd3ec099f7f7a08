#define _GNU_SOURCE
/*
 * The machine without its kernel: boot, memory, traps, sandbox, by small test kernels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "sandbox/sandbox.h"
#include "supervisor/part.h"

/* Run a test kernel to its clean end. */
static void run_clean(struct harness *h, const char *kernel)
{
    harness_prepare(h, kernel);
    assert_true(harness_start(h));
    harness_step(h, "");
    harness_finish(h);
    assert_string_equal(h->end.detail, "");
    assert_int_equal(h->end.outcome, SUPERVISOR_CLEAN);
}

static void kernel_boots_and_maps_memory(void **state)
{
    static struct harness h;

    run_clean(&h, "boot");
    assert_true(harness_said(&h, "booted"));
    assert_true(harness_said(&h, "image 0 at 0x1a0000000000"));
}

static void every_trap_arrives_as_documented(void **state)
{
    static struct harness h;

    run_clean(&h, "trap");
    assert_true(harness_said(&h, "all traps"));
}

static void files_move_through_pageable_memory(void **state)
{
    static struct harness h;

    run_clean(&h, "files");
    assert_true(harness_said(&h, "files"));
}

static void no_way_out_for_system_calls(void **state)
{
    static struct harness h;

    run_clean(&h, "escape");
    assert_true(harness_said(&h, "contained"));
}

/* Run one of the breaking tests; how the machine ended is left in h. */
static void run_breaking(struct harness *h, const char *test)
{
    harness_prepare(h, "break");
    h->options.watchdog_ms = 200;
    assert_true(harness_start(h));
    harness_step(h, test);
    harness_finish(h);
}

static void watchdog_names_the_lowest_instruction_of_a_loop(void **state)
{
    static struct harness h;

    run_breaking(&h, "watchdog");
    assert_string_equal(h.end.detail, "");
    assert_true(harness_said(&h, "watchdog"));
}

static void kernel_in_a_loop_is_an_internal_error(void **state)
{
    static struct harness h;

    run_breaking(&h, "kernel loop");
    assert_int_equal(h.end.outcome, SUPERVISOR_INTERNAL);
    assert_non_null(strstr(h.end.detail, "no delivery point"));
}

static void kernel_recursion_ends(void **state)
{
    static struct harness h;

    run_breaking(&h, "kernel recursion");
    assert_int_not_equal(h.end.outcome, SUPERVISOR_CRASHED);
}

static void damaged_events_are_refused(void **state)
{
    static struct harness h;

    run_breaking(&h, "event type");
    assert_int_equal(h.end.outcome, SUPERVISOR_CRASHED);
    assert_int_equal(h.events, 0);
    run_breaking(&h, "event payload");
    assert_int_equal(h.end.outcome, SUPERVISOR_CRASHED);
    assert_int_equal(h.findings, 0);
}

static void full_record_waits_for_the_reader(void **state)
{
    static struct harness h;

    run_breaking(&h, "flood");
    assert_int_equal(h.end.outcome, SUPERVISOR_CLEAN);
    assert_int_equal(h.events, 100000);
}

static void broken_machines_end_and_say_so(void **state)
{
    static const char *const tests[] = {"bad map", "overwrite the host", "no kernel", "halt unasked"};
    static struct harness h;

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        run_breaking(&h, tests[i]);
        assert_true(h.end.outcome == SUPERVISOR_CRASHED || h.end.outcome == SUPERVISOR_INTERNAL);
        assert_string_not_equal(h.end.detail, "");
    }
}

static void loop_that_fools_the_watchdog_is_killed(void **state)
{
    static struct harness h;

    run_breaking(&h, "alive for ever");
    assert_int_equal(h.end.outcome, SUPERVISOR_CRASHED);
    assert_string_equal(h.end.detail, "the worker runs in an endless loop");
}

static void killed_worker_is_noticed(void **state)
{
    static struct harness h;

    harness_prepare(&h, "boot");
    assert_true(harness_start(&h));
    assert_int_equal(kill(h.machine->pid, SIGKILL), 0);
    assert_false(harness_step(&h, ""));
    harness_finish(&h);
    assert_int_equal(h.end.outcome, SUPERVISOR_CRASHED);
    assert_string_equal(h.end.detail, "SIGKILL");
}

static void missing_kernel_is_one_line(void **state)
{
    static struct harness h;

    harness_prepare(&h, "nothing-here");
    assert_null(supervisor_start(&h.options, NULL, NULL, h.why));
    assert_non_null(strstr(h.why, "nothing-here/ntoskrnl.exe"));
}

static void driver_images_are_mapped_and_bound(void **state)
{
    static struct harness h;
    static char bytes[1 << 20];
    char volume[] = "/tmp/irqlab-test-XXXXXX", path[64];
    FILE *file = fopen("build/tests/machine/images/driver.sys", "rb");
    size_t size;

    assert_non_null(file);
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_non_null(mkdtemp(volume));
    snprintf(path, sizeof(path), "%s/drivers", volume);
    assert_int_equal(mkdir(path, 0777), 0);
    strcat(path, "/driver.sys");
    file = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);

    harness_prepare(&h, "images");
    h.options.volume_dir = volume;
    assert_true(harness_start(&h));
    assert_true(supervisor_offer(h.machine, "driver.sys", bytes, size));
    harness_step(&h, "");
    harness_finish(&h);
    volume_remove_tree(volume);
    assert_string_equal(h.end.detail, "");
    assert_true(harness_said(&h, "images"));
}

static void interrupted_machine_ends(void **state)
{
    static struct harness h;

    harness_prepare(&h, "break");
    assert_true(harness_start(&h));
    supervisor_interrupt();
    assert_false(harness_step(&h, "alive for ever"));
    harness_finish(&h);
    assert_string_equal(h.end.detail, "interrupted");
}

static void sandbox_layers_are_probed(void **state)
{
    struct sandbox_report report;

    sandbox_probe(&report);
    for (int i = 0; i < SANDBOX_LAYERS; i++) {
        assert_non_null(report.layer[i].name);
        if (report.layer[i].required)
            assert_true(report.layer[i].present); /* else no test above could have passed */
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_boots_and_maps_memory),
        cmocka_unit_test(every_trap_arrives_as_documented),
        cmocka_unit_test(files_move_through_pageable_memory),
        cmocka_unit_test(no_way_out_for_system_calls),
        cmocka_unit_test(watchdog_names_the_lowest_instruction_of_a_loop),
        cmocka_unit_test(kernel_in_a_loop_is_an_internal_error),
        cmocka_unit_test(kernel_recursion_ends),
        cmocka_unit_test(damaged_events_are_refused),
        cmocka_unit_test(full_record_waits_for_the_reader),
        cmocka_unit_test(broken_machines_end_and_say_so),
        cmocka_unit_test(loop_that_fools_the_watchdog_is_killed),
        cmocka_unit_test(killed_worker_is_noticed),
        cmocka_unit_test(missing_kernel_is_one_line),
        cmocka_unit_test(driver_images_are_mapped_and_bound),
        cmocka_unit_test(sandbox_layers_are_probed),
        cmocka_unit_test(interrupted_machine_ends), /* last: no machine starts after it */
    };

    if (argc > 0 && !strcmp(argv[0], "irqlab-worker"))
        return worker_main();
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
