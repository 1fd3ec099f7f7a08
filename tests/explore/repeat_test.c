/*
 * A run is the same run from whatever snapshot, after whatever other runs: forwards, backwards, and on a machine of its
 * own. Compared are all events and what the schedule met.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "explore/explorer.h"
#include "explore/strategy.h"
#include "machine/channel.h"
#include "machine/worker.h"

enum { RUNS = 100, FRESH = 4 };

struct outcome {
    uint64_t hash;
    uint32_t points, picks, causes;
};

static char bytes[1 << 20];
static struct session session;
static const struct strategy strategy = {.kind = STRATEGY_RANDOM};

static struct supervisor_options machine_of(uint32_t processors)
{
    return (struct supervisor_options){.processors = processors,
                                       .ram_bytes = 128 << 20,
                                       .stop_on_finding = true,
                                       .special_pool = true,
                                       .os_major = 10,
                                       .os_build = 19045,
                                       .kernel_dir = "build/nt",
                                       .scratch = true};
}

static void load(const char *path, enum session_from from)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    memset(&session, 0, sizeof session);
    session.driver[0] = (struct session_driver){.path = path, .name = "driver.sys", .bytes = bytes};
    session.driver[0].size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    session.drivers = 1;
    session.time = 50000000;
    session.from = from;
}

static struct outcome run(struct explorer *e, uint64_t seed)
{
    strategy_begin(&strategy, &e->begin, seed, 1);
    if (!explorer_run(e))
        fail_msg("%s", e->why);
    return (struct outcome){e->watch.hash, e->met.points, e->met.made_picks, e->watch.causes};
}

static void sink(void *context, const struct door_event *event, const void *payload)
{
    cause_event(context, event, payload);
}

/* Without any snapshot. */
static struct outcome run_fresh(uint32_t processors, uint64_t seed)
{
    static struct cause_watch watch;
    static struct door_schedule begin, met;
    struct supervisor_options machine = machine_of(processors);
    struct supervisor_end end;
    char why[256];
    cause_begin(&watch);
    session_reset(&session);
    session.sink = sink;
    session.context = &watch;
    session.schedule = &begin;
    strategy_begin(&strategy, &begin, seed, 1);
    if (!session_start(&session, &machine, why))
        fail_msg("%s", why);
    session_operate(&session);
    supervisor_schedule_met(session.supervisor, &met);
    session_finish(&session, &end);
    return (struct outcome){watch.hash, met.points, met.made_picks, watch.causes};
}

static void same(struct outcome a, struct outcome b)
{
    assert_true(a.hash == b.hash);
    assert_int_equal(a.points, b.points);
    assert_int_equal(a.picks, b.picks);
    assert_int_equal(a.causes, b.causes);
}

static void check(const char *driver, enum session_from from, uint32_t processors)
{
    static struct outcome first[RUNS];
    struct supervisor_options machine = machine_of(processors);
    struct explorer *e;
    unsigned different = 0;
    load(driver, from);
    e = explorer_new(&session, &machine);
    for (uint64_t i = 0; i < RUNS; i++)
        first[i] = run(e, i);
    for (uint64_t i = RUNS; i-- > 0;)
        same(run(e, i), first[i]);
    explorer_free(e);
    for (uint64_t i = 0; i < FRESH; i++)
        same(run_fresh(processors, i), first[i]);
    for (uint64_t i = 1; i < RUNS; i++)
        different += first[i].hash != first[0].hash;
    assert_true(different > 0 || processors == 1); /* else nothing was compared */
}

static void runs_from_the_boot_repeat(void **state)
{
    for (uint32_t processors = 1; processors <= 8; processors *= 2) {
        check("build/tests/explore/update_bad.sys", SESSION_BOOT, processors);
        check("build/tests/explore/timer_bad.sys", SESSION_BOOT, processors);
    }
}

static void runs_from_loaded_drivers_repeat(void **state)
{
    check("build/tests/explore/timer_bad.sys", SESSION_LOADED, 2);
}

static void runs_that_write_files_repeat(void **state)
{
    check("build/tests/explore/writer_good.sys", SESSION_BOOT, 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_from_the_boot_repeat),
                                       cmocka_unit_test(runs_from_loaded_drivers_repeat),
                                       cmocka_unit_test(runs_that_write_files_repeat)};
    if (argc > 0 && !strcmp(argv[0], CHANNEL_WORKER_NAME))
        return worker_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
