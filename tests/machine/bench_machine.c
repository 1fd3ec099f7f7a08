/*
 * Times of the machine's own doings, seen from outside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"

#define TIMES 100000
#define STARTS 20

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void starts(void)
{
    static struct harness h;
    double best = 1e9, best_end = 1e9;

    for (int i = 0; i < STARTS; i++) {
        double t0 = now(), t1, t2;
        harness_prepare(&h, "bench");
        if (!harness_start(&h))
            exit(1);
        t1 = now();
        harness_finish(&h);
        t2 = now();
        best = t1 - t0 < best ? t1 - t0 : best;
        best_end = t2 - t1 < best_end ? t2 - t1 : best_end;
    }
    printf("%-32s %8.2f ms\n%-32s %8.2f ms\n", "start until the kernel asks", best * 1e3, "end of a machine",
           best_end * 1e3);
}

static double run(const char *what)
{
    static struct harness h;
    double t0, t1;

    harness_prepare(&h, "bench");
    if (!harness_start(&h))
        exit(1);
    t0 = now();
    harness_step(&h, what);
    t1 = now();
    harness_finish(&h);
    if (h.end.outcome != SUPERVISOR_CLEAN) {
        fprintf(stderr, "%s: %s\n", what, h.end.detail);
        exit(1);
    }
    return t1 - t0;
}

int main(int argc, char **argv)
{
    static const char *const what[] = {
        "trap to the kernel and back", "mov rax, cr8 emulated", "rdtsc emulated",         "record of 5 bytes",
        "request to the supervisor",   "protect of one page",   "stack made and guarded",
    };
    double nothing;

    if (argc > 0 && !strcmp(argv[0], "irqlab-worker"))
        return worker_main();
    starts();
    nothing = run("nothing");
    for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++)
        printf("%-32s %8.3f us\n", what[i], (run(what[i]) - nothing) / TIMES * 1e6);
    return 0;
}
