/*
 * How schedules are chosen, as the user says it: in-order, random, pct:DEPTH, search:BOUND. And the seeds of runs that
 * are made from one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "door.h"

enum strategy_kind { STRATEGY_IN_ORDER, STRATEGY_RANDOM, STRATEGY_PCT, STRATEGY_SEARCH };

struct strategy {
    enum strategy_kind kind;
    uint32_t depth; /* PCT */
    uint32_t bound; /* search; STRATEGY_NO_BOUND = on until the budget ends */
};

#define STRATEGY_NO_BOUND 0xffffffffu
#define STRATEGY_LENGTH 256 /* points PCT expects of a run it knows nothing of */

/* False: not a strategy. */
bool strategy_read(struct strategy *s, const char *text);
/* "random", "pct:2", "search:2" */
void strategy_name(const struct strategy *s, char *text, unsigned room);

/* The schedule of one run. Of a search: the run without any pick. */
void strategy_begin(const struct strategy *s, struct door_schedule *schedule, uint64_t seed, uint32_t length);

/* The seed of run `index` of many. */
uint64_t strategy_seed(uint64_t seed, uint64_t index);

/*
 * PCT's promise: a run finds a mistake of depth d with a probability of at least 1 / (n * k^(d-1)), where n is the number
 * of threads and k that of steps (Burckhardt et al., ASPLOS 2010). After `runs` runs it would have been found with at
 * least this probability.
 */
double strategy_chance(uint32_t depth, uint32_t flows, uint32_t points, uint64_t runs);
