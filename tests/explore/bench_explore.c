/*
 * What exploring costs: the way back to a snapshot, a whole run from it, and what memory remains over many.
 * bench_explore DRIVER RUNS [loaded]
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "explore/explorer.h"
#include "explore/strategy.h"
#include "machine/channel.h"
#include "machine/worker.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long resident(const char *path)
{
    long pages = 0;
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * 4;
}

/* KiB of this process and of its worker. */
static long memory(void)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%d", &child) != 1)
        child = 0;
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%d/statm", child);
    return resident("/proc/self/statm") + resident(path);
}

static void run(struct explorer *e, uint64_t i)
{
    static const struct strategy strategy = {.kind = STRATEGY_RANDOM};
    strategy_begin(&strategy, &e->begin, i, 1);
    if (!explorer_run(e)) {
        fprintf(stderr, "%s\n", e->why);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static char bytes[1 << 20];
    static struct session session;
    struct supervisor_options machine = {.processors = 2, .ram_bytes = 256 << 20, .stop_on_finding = true,
                                         .special_pool = true, .os_major = 10, .os_build = 19045,
                                         .kernel_dir = "build/nt"};
    if (argc > 0 && !strcmp(argv[0], CHANNEL_WORKER_NAME))
        return worker_main();
    if (argc < 3)
        return 2;
    FILE *file = fopen(argv[1], "rbe");
    uint64_t runs = strtoull(argv[2], NULL, 10), points = 0, findings = 0;
    if (!file)
        return 2;
    session.driver[0] = (struct session_driver){.path = "driver.sys", .name = "driver.sys", .bytes = bytes};
    session.driver[0].size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    session.drivers = 1;
    session.time = 10000000;
    session.from = argc > 3 ? SESSION_LOADED : SESSION_BOOT;
    struct explorer *e = explorer_new(&session, &machine);
    for (uint64_t i = 0; e && i < 1000; i++)
        run(e, i);
    double from = seconds();
    for (uint64_t i = 0; i < 2000; i++)
        if (!supervisor_restore(session.supervisor))
            return 1;
    printf("back to the snapshot         %7.1f us\n", (seconds() - from) / 2000 * 1e6);
    long before = memory();
    from = seconds();
    for (uint64_t i = 0; i < runs; i++) {
        run(e, i);
        points += e->met.points;
        findings += e->watch.causes;
    }
    double each = (seconds() - from) / (double)runs;
    printf("a schedule                   %7.1f us, %.0f a second, %.1f points, %.2f %% with findings\n", each * 1e6, 1 / each,
           (double)points / (double)runs, 100.0 * (double)findings / (double)runs);
    printf("memory after %llu schedules  %+ld KiB of %ld, %llu machine%s\n", (unsigned long long)runs, memory() - before,
           before, (unsigned long long)e->made, e->made == 1 ? "" : "s");
    explorer_free(e);
    return 0;
}
