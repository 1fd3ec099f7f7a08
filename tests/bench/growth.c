/*
 * Does the hundred thousandth still cost what the first ones do? For each kind the processor time of whole runs with
 * none, with a tenth and with all of them there at once (tests/bench/many.c), and what one costs among few and among
 * many. What grows with their square costs ten times as much among many; caches that no longer hold all account for two
 * or three times.
 *
 * usage: growth IRQLAB MANY.sys VOLUME_DIRECTORY [NAME...]
 */
#define _GNU_SOURCE
#include "measure.h"
#include <stdio.h>
#include <string.h>

#define RUNS 3
#define LIMIT 4.0

static const struct {
    const char *what, *work;
    uint64_t count;
} rows[] = {
    {"open handles", "handles", 400000},
    {"objects by name in one directory", "names", 100000},
    {"keys below one key", "keys", 100000},
    {"timers pending", "timers", 100000},
    {"threads", "threads", 100000},
    {"devices of one driver", "devices", 100000},
    {"requests outstanding", "requests", 100000},
    {"files in one directory", "files", 20000},
    {"files open at once", "open", 100000},
    {"processes", "processes", 4000},
};

static bool failed;

/* Processes are the operator's: the driver has nothing to do. */
static struct cost run_processes(uint64_t count)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/many.lua", volume);
    FILE *file = fopen(path, "w");
    if (!file)
        return (struct cost){.failed = true};
    fprintf(file,
            "local n, all = %llu, {}\n"
            "for i = 1, n do all[i] = assert(launch('many' .. i .. '.exe')) end\n"
            "for i = 1, n do all[i * 7 %% n + 1]:exit(0) end\n",
            (unsigned long long)count);
    fclose(file);
    scenario = path;
    struct cost cost = run("handles", 0, false);
    scenario = NULL;
    return cost;
}

static double cost(const char *work, uint64_t count)
{
    double v[RUNS];
    for (int i = 0; i < RUNS; i++) {
        struct cost one = strcmp(work, "processes") ? run(work, count, false) : run_processes(count);
        failed |= one.failed;
        v[i] = one.processor;
    }
    return median(v, RUNS);
}

static bool wanted(int argc, char **argv, const char *name)
{
    for (int i = 4; i < argc; i++)
        if (!strcmp(argv[i], name))
            return true;
    return argc <= 4;
}

int main(int argc, char **argv)
{
    bool missed = false;
    if (argc < 4)
        return fprintf(stderr, "usage: %s IRQLAB MANY.sys VOLUME_DIRECTORY [NAME...]\n", argv[0]), 2;
    irqlab = argv[1], driver = argv[2], volume = argv[3];
    printf("%-40s %13s  %16s  %s\n", "growth: one of them, made to gone", "among many", "target, times",
           "among a tenth");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t many = rows[i].count, few = many / 10;
        if (!wanted(argc, argv, rows[i].work))
            continue;
        failed = false;
        double none = cost(rows[i].work, 0), some = (cost(rows[i].work, few) - none) * 1e9 / (double)few,
               all = (cost(rows[i].work, many) - none) * 1e9 / (double)many;
        /* Less than that is lost in the noise of starting. */
        double times = all / (some > 250 ? some : 250);
        bool bad = failed || times > LIMIT;
        printf("%-24s %15llu %9.1f ns   %9.1f %-6s  %9.1f ns %43.2f\n", rows[i].what, (unsigned long long)many, all,
               LIMIT, bad ? "MISSED" : "met", some, times);
        fflush(stdout);
        missed |= bad;
    }
    return missed;
}
