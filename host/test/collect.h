/*
 * What `irqlab test` runs: scenarios (*.lua) and routines named Test* that drivers export. A folder stands for all of both
 * in it, in order of their names. A driver named on the command line that exports no test is loaded before each in-machine
 * test, and scenarios may name it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct test {
    char *name; /* the path as given; of an in-machine test "path!TestRoutine" */
    char *path;
    char *routine; /* NULL: a scenario */
    unsigned seed; /* added to the seed: which repetition this is */
    /* how it went */
    bool ran, timed_out;
    int status; /* of irqlab run; -1 = it was killed */
    double seconds;
    char *output;
    size_t output_bytes;
};

struct collection {
    struct test *test;
    size_t tests;
    char **driver; /* drivers without tests, named on the command line */
    size_t drivers;
};

/* False: a line was written. */
bool collect(struct collection *c, int count, char **paths);
/* Each test `times` times. */
bool collect_repeat(struct collection *c, unsigned times);
void collect_free(struct collection *c);
