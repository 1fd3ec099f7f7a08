/*
 * An exploration: units handed out to processes, their answers put together in the units' order, so that the outcome does
 * not depend on how many processes there are or how fast they work. (A budget in time is an exception by nature.)
 */
#pragma once

#include "explore/job.h"

struct pool_found {
    struct pool_found *next;
    uint64_t unit, run; /* where it was first seen */
    struct cause cause;
    bool missing, internal;
    uint64_t hash;
    uint32_t strategy, depth, length, picks;
    uint64_t seed, number;
    struct door_pick *pick;
};

struct pool {
    /* What is wanted: */
    struct session *session;
    const struct supervisor_options *machine;
    struct strategy strategy;
    uint64_t seed;
    uint32_t shard, shards; /* 0-based */
    unsigned jobs;
    uint64_t most; /* runs, 0 = any number; of a search in this shard, else in all shards */
    uint64_t time; /* ns, 0 = any */
    double chance; /* PCT: enough when a mistake would have been found with this probability; 0 = never */
    void (*progress)(void *context, const struct pool *pool, uint64_t ns); /* now and then; NULL = nobody looks */
    void *context;
    int (*interrupted)(void);

    /* The outcome: */
    uint64_t runs;
    uint32_t complete;      /* search: bounds up to this one less 1 are complete */
    bool exhausted;         /* search: there are no more schedules at all */
    uint64_t last_runs;     /* search: runs with the bound that is not complete */
    uint32_t points, flows; /* the largest of any run */
    bool beyond;            /* some points of long runs were left out */
    bool missing, internal;
    struct pool_found *found; /* by unit and run */
    unsigned found_count;
    char why[256];

    /* Ours: */
    struct pool_state *state;
};

/* False: see why. */
bool pool_run(struct pool *pool);
void pool_free(struct pool *pool);

uint64_t pool_runs_so_far(const struct pool *pool);
uint32_t pool_bound(const struct pool *pool); /* being searched */
