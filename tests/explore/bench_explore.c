/*
 * What exploring costs: the way back to a snapshot, a whole run from it, and what memory remains over many. Beside it stands
 * what this host does at best: waking another process and being woken by it, which each run does at least once.
 * bench_explore DRIVER RUNS [calls|accesses]: random schedules. Exit status 1: a target was missed.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

static int worker(void)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%d", &child) != 1)
        child = 0;
    if (file)
        fclose(file);
    return child;
}

/* KiB of this process and of its worker. */
static long memory(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", worker());
    return resident("/proc/self/statm") + resident(path);
}

/* Processor time of both: they run by turns, and what else this host does counts no more than it must. */
static double spent(void)
{
    struct timespec ours, its = {0};
    clockid_t clock;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ours);
    if (clock_getcpuclockid(worker(), &clock) == 0)
        clock_gettime(clock, &its);
    return (double)(ours.tv_sec + its.tv_sec) + (double)(ours.tv_nsec + its.tv_nsec) * 1e-9;
}

static struct session session;

static void run(struct explorer *e, uint64_t i)
{
    static const struct strategy strategy = {.kind = STRATEGY_RANDOM};
    strategy_begin(&strategy, &e->begin, i, 1);
    if (!explorer_run(e)) {
        fprintf(stderr, "%s\n", e->why);
        exit(1);
    }
}

/* ---- What the host does at best ---------------------------------------------------------------------------------- */

static double there_and_back(void)
{
    enum { TIMES = 20000 };
    int pair[2];
    char c = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        exit(1);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        while (read(pair[1], &c, 1) == 1 && write(pair[1], &c, 1) == 1)
            ;
        _exit(0);
    }
    close(pair[1]);
    double from = seconds();
    for (int i = 0; i < TIMES; i++)
        if (write(pair[0], &c, 1) != 1 || read(pair[0], &c, 1) != 1)
            exit(1);
    double each = (seconds() - from) / TIMES;
    close(pair[0]);
    waitpid(pid, NULL, 0);
    return each;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static bool missed;

static void row(const char *what, double value, const char *unit, double target, double limit, const char *limit_name)
{
    char at_most[32] = "";
    if (target > 0)
        snprintf(at_most, sizeof at_most, "%.1f %s", target, value <= target ? "met" : "MISSED");
    missed |= target > 0 && value > target;
    printf("%-40s %9.1f %-3s  %16s", what, value, unit, at_most);
    if (limit > 0)
        printf("  %9.1f %-3s %-35s %7.2f", limit, unit, limit_name, value / limit);
    puts("");
    fflush(stdout);
}

static bool load(const char *path)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path, "rbe");
    if (!file)
        return false;
    session.driver[0] = (struct session_driver){.path = "driver.sys", .name = "driver.sys", .bytes = bytes};
    session.driver[0].size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    session.drivers = 1;
    session.time = 10000000;
    session.from = SESSION_BOOT;
    return true;
}

static void back(double limit)
{
    enum { TIMES = 2000 };
    double from = spent();
    for (int i = 0; i < TIMES; i++)
        if (!supervisor_restore(session.supervisor))
            exit(1);
    row("back to a snapshot", (spent() - from) / TIMES * 1e6, "us", 0, limit, "process woken, and back");
}

int main(int argc, char **argv)
{
    struct supervisor_options machine = {.processors = 2,
                                         .ram_bytes = 256 << 20,
                                         .stop_on_finding = true,
                                         .special_pool = true,
                                         .os_major = 10,
                                         .os_build = 19045,
                                         .kernel_dir = "build/nt"};
    if (argc > 0 && !strcmp(argv[0], CHANNEL_WORKER_NAME))
        return worker_main();
    if (argc < 3 || !load(argv[1]))
        return 2;
    machine.points = argc > 3 && !strcmp(argv[3], "accesses");
    machine.races = machine.points ? DOOR_RACES_HARMFUL : DOOR_RACES_NONE;
    uint64_t runs = strtoull(argv[2], NULL, 10), points = 0,
             begin = runs / 2; /* by then the ring of events has gone round */
    double limit = there_and_back() * 1e6;
    struct explorer *e = explorer_new(&session, &machine);
    for (uint64_t i = 0; e && i < begin; i++)
        run(e, i);
    back(limit);
    long before = memory();
    double from = spent();
    for (uint64_t i = begin; i < runs; i++) {
        run(e, i);
        points += e->met.points;
    }
    char what[64];
    snprintf(what, sizeof what, "a schedule, %.1f points (%s)", (double)points / (double)(runs - begin),
             machine.points ? "accesses" : "calls");
    row(what, (spent() - from) / (double)(runs - begin) * 1e6, "us", 1000, limit, "process woken, and back");
    snprintf(what, sizeof what, "memory kept, %llu to %llu runs", (unsigned long long)begin, (unsigned long long)runs);
    row(what, (double)(memory() - before), "KiB", 1024, 0, NULL);
    if (e->made != 1)
        missed = true, printf("%llu machines\n", (unsigned long long)e->made);
    explorer_free(e);
    return missed;
}
