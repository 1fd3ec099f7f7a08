/*
 * The work of an exploration, cut into units, and the process that carries units out.
 *
 * A search proceeds bound by bound. With bound b it makes every run whose plan has exactly b picks: a plan of b - 1 picks,
 * extended by each later point of its run and each other possibility there. So no run is made twice, and all that is kept
 * is one parent's points for each pick. A unit is a stretch of first picks; plans below them come in lexicographic order.
 * Other strategies number their runs; a unit is a stretch of numbers.
 *
 * Units are numbered in the order they are handed out, which does not depend on how many processes work; so the first run
 * with a cause, by unit and place in the unit, is always the same one.
 */
#pragma once

#include <stdatomic.h>
#include "explore/explorer.h"
#include "explore/strategy.h"

struct job_unit {
    uint64_t number; /* 0 = the run without picks, which tells how many first picks there are */
    uint32_t bound;  /* search */
    uint64_t first, last;
    uint64_t most; /* runs, at most */
};

/* A job's answers: for each cause it sees for the first time one FOUND, with the picks behind it; after each unit one DONE,
 * or FAILED. */
enum job_answer_kind { JOB_FOUND, JOB_DONE, JOB_FAILED };

struct job_answer {
    enum job_answer_kind kind;
    uint64_t unit;
    uint64_t runs;          /* FOUND: before this one in the unit; DONE: in all */
    uint64_t children;      /* DONE, unit 0: first picks */
    uint32_t points, flows; /* the largest so far in this unit */
    bool cut;               /* DONE: the unit was not finished */
    bool beyond;            /* DONE: a run had more points than are kept */
    bool missing, internal;
    struct cause cause;
    uint64_t hash; /* FOUND: of the events */
    /* FOUND: the schedule */
    uint32_t strategy, depth, length, picks;
    uint64_t seed;
    uint64_t number; /* of the run, where runs have numbers; 0 = the one without picks */
    char why[256];   /* FAILED */
};

/* Shared by all processes of an exploration. */
struct job_shared {
    _Atomic int stop;      /* finish as soon as possible */
    _Atomic int abandoned; /* runs under way are torn off: they are no runs */
    _Atomic uint64_t runs; /* for the progress line only */
};

struct job {
    struct strategy strategy;
    uint64_t seed;
    uint32_t shard, shards; /* 0-based */
    uint64_t deadline;      /* CLOCK_MONOTONIC, ns; 0 = none */
    struct job_shared *shared;
    int in, out;
};

uint64_t job_clock(void); /* CLOCK_MONOTONIC, ns */

/* Take units from `in` until it ends. */
void job_work(const struct job *job, struct explorer *e);
