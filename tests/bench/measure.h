/*
 * What the programs of `make bench` share: runs of the machine with work for a driver of this folder, which reads it
 * from C:.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

extern const char *irqlab, *driver, *volume; /* set by main; volume: a directory */
extern const char *scenario;                 /* what operates the machine, NULL = time passes */

double seconds(clockid_t clock);
double median(double *v, int n); /* sorts them */

struct cost {
    double wall, processor; /* seconds */
    long worker_kib;        /* most resident memory of the worker, of a run that is
                      watched */
    bool failed;            /* what of it was said */
};
struct cost run(const char *work, uint64_t count, bool watch);
