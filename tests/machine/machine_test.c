/*
 * The machine without its kernel: boot, memory, traps, sandbox, by small test kernels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "harness.h"

/* Run a test kernel to its clean end. */
static void run_clean(struct harness *h, const char *kernel)
{
    harness_prepare(h, kernel);
    assert_true(harness_start(h));
    harness_step(h);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_boots_and_maps_memory),
        cmocka_unit_test(every_trap_arrives_as_documented),
    };

    if (argc > 0 && !strcmp(argv[0], "irqlab-worker"))
        return worker_main();
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
