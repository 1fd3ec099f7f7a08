/*
 * What a schedule costs: going back to a snapshot, and a whole run from it. build/tests/explore/bench_explore DRIVER N
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "machine/channel.h"
#include "machine/worker.h"
#include "supervisor/supervisor.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static unsigned long events, findings;
static void sink(void *context, const struct door_event *event, const void *payload)
{
    events++;
    if (event->type == DOOR_EVENT_FINDING)
        findings++;
}


int main(int argc, char **argv)
{
    char why[256];
    struct supervisor_options o = {.processors = 2, .ram_bytes = 256 << 20, .stop_on_finding = true, .special_pool = true,
        .os_major = 10, .os_build = 19045, .kernel_dir = "build/nt", .snapshots = true};
    if (argc > 0 && !strcmp(argv[0], CHANNEL_WORKER_NAME))
        return worker_main();
    FILE *f = fopen(argv[1], "rb");
    static char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, f);
    int n = atoi(argv[2]);
    struct supervisor *s = supervisor_start(&o, sink, NULL, why);
    struct supervisor_end end;
    if (!s) { puts(why); return 1; }
    supervisor_offer(s, "driver.sys", bytes, size);
    if (!supervisor_snapshot(s)) { puts("no snapshot"); return 1; }
    double t = seconds();
    for (int i = 0; i < n; i++)
        if (!supervisor_restore(s)) { puts("no restore"); supervisor_ended(s, &end); puts(end.detail); return 1; }
    t = seconds() - t;
    printf("restore alone: %.1f us\n", t / n * 1e6);
    t = seconds();
    unsigned long points = 0;
    for (int i = 0; i < n; i++) {
        struct door_schedule *d = supervisor_schedule(s);
        d->strategy = DOOR_RANDOM; d->seed = (uint64_t)i; d->every = 1;
        struct door_command c[] = {{.code = DOOR_COMMAND_SCHEDULE}, {.code = DOOR_COMMAND_LOAD, .text = "driver.sys"},
            {.code = DOOR_COMMAND_ADVANCE, .value = 10000000}, {.code = DOOR_COMMAND_UNLOAD}, {.code = DOOR_COMMAND_END}};
        supervisor_again(s, c, 5);
        points += d->points;
        if (supervisor_ended(s, &end) && end.outcome > SUPERVISOR_STOPPED) { puts(end.detail); return 1; }
    }
    t = seconds() - t;
    printf("schedule: %.1f us (%.0f/s), %lu points, %lu events, %lu findings\n", t / n * 1e6, n / t, points / n, events, findings);
    supervisor_finish(s, &end);
}
