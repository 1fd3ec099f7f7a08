/* See job.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "explore/job.h"

enum { CAUSES_KNOWN = 4096, PICKS = 64 };

struct worker {
    const struct job *job;
    struct explorer *e;
    const struct job_unit *unit;
    struct job_answer done;
    struct cause *known;
    unsigned known_count;
    struct door_pick pick[PICKS]; /* the plan being run */
    uint32_t picks;
    uint8_t *root; /* possibilities at the points of the run without picks */
    uint32_t root_points;
    uint32_t length; /* PCT: points to expect */
    uint64_t number; /* of the run */
    bool failed;
};

uint64_t job_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool put(int fd, const void *bytes, size_t count)
{
    while (count) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = (const char *)bytes + n;
        count -= (size_t)n;
    }
    return true;
}

static bool must_stop(const struct worker *w)
{
    return atomic_load_explicit(&w->job->shared->stop, memory_order_relaxed) || w->done.runs >= w->unit->most ||
           (w->job->deadline && job_clock() >= w->job->deadline);
}

/* ---- One run ----------------------------------------------------------------------------------------------------- */

static bool is_known(struct worker *w, const struct cause *c)
{
    for (unsigned i = 0; i < w->known_count; i++)
        if (cause_same(&w->known[i], c))
            return true;
    if (w->known_count < CAUSES_KNOWN)
        w->known[w->known_count++] = *c;
    return false;
}

static void tell_found(struct worker *w, const struct cause *c)
{
    const struct explorer *e = w->e;
    const struct door_pick *picks = e->begin.strategy == DOOR_PLAN ? e->begin.plan : e->met.made;
    struct job_answer a = w->done;
    if (is_known(w, c))
        return;
    a.kind = JOB_FOUND;
    a.cause = *c;
    a.hash = e->watch.hash;
    a.missing = e->watch.missing;
    a.internal = e->watch.internal;
    a.strategy = DOOR_PLAN;
    a.picks = e->begin.strategy == DOOR_PLAN ? e->begin.plan_picks : e->met.made_picks;
    if (a.picks >= DOOR_MADE_PICKS) { /* more were made than were noted: the seed tells them */
        a.strategy = e->begin.strategy;
        a.picks = 0;
    }
    a.seed = e->begin.seed;
    a.depth = e->begin.depth;
    a.length = e->begin.length;
    a.number = w->number;
    put(w->job->out, &a, sizeof a);
    put(w->job->out, picks, a.picks * sizeof *picks);
}

/* e->begin is filled. counted: it is a run of the unit, not one on the way to others. */
static bool run(struct worker *w, bool counted)
{
    struct explorer *e = w->e;
    bool ran = explorer_run(e);
    if (atomic_load(&w->job->shared->abandoned)) {
        w->done.cut = true;
        return false;
    }
    if (!ran) {
        w->failed = true;
        return false;
    }
    if (e->met.points > w->done.points)
        w->done.points = e->met.points;
    if (e->met.flows > w->done.flows)
        w->done.flows = e->met.flows;
    w->done.beyond |= e->met.points > DOOR_POINTS;
    if (!counted)
        return true;
    for (unsigned i = 0; i < e->watch.causes; i++)
        tell_found(w, &e->watch.cause[i]);
    w->done.runs++;
    atomic_fetch_add_explicit(&w->job->shared->runs, 1, memory_order_relaxed);
    return true;
}

/* ---- Search ------------------------------------------------------------------------------------------------------ */

/* The points of the run just made, up to its end; to be freed. */
static uint8_t *keep_points(struct worker *w, uint32_t *points)
{
    *points = w->e->met.points < DOOR_POINTS ? w->e->met.points : DOOR_POINTS;
    uint8_t *possible = malloc(*points + 1);
    if (possible)
        memcpy(possible, w->e->met.possible, *points);
    else
        w->failed = true;
    return possible;
}

/* All runs whose plan is the present one and `more` picks behind it. */
static void search_below(struct worker *w, uint32_t more)
{
    if (must_stop(w)) {
        w->done.cut = true;
        return;
    }
    explorer_plan(w->e, w->pick, w->picks);
    if (!run(w, more == 0) || more == 0)
        return;
    uint32_t points;
    uint8_t *possible = keep_points(w, &points);
    if (!possible)
        return;
    uint32_t from = w->pick[w->picks - 1].point + 1;
    for (uint32_t p = from; p < points && !w->done.cut && !w->failed; p++)
        for (uint16_t k = 1; k < possible[p] && !w->done.cut && !w->failed; k++) {
            w->pick[w->picks++] = (struct door_pick){p, k, 0};
            search_below(w, more - 1);
            w->picks--;
        }
    free(possible);
}

/* First picks number first..last of the root, those of our shard. */
static void search_unit(struct worker *w)
{
    uint64_t child = 0;
    for (uint32_t p = 0; p < w->root_points && !w->done.cut && !w->failed; p++)
        for (uint16_t k = 1; k < w->root[p] && !w->done.cut && !w->failed; k++, child++) {
            if (child < w->unit->first || child > w->unit->last || child % w->job->shards != w->job->shard)
                continue;
            w->pick[0] = (struct door_pick){p, k, 0};
            w->picks = 1;
            search_below(w, w->unit->bound - 1);
        }
}

/* The run without picks, made by each job for itself: what it begins with. */
static bool find_root(struct worker *w, bool counted)
{
    if (w->root && !counted)
        return true;
    explorer_plan(w->e, NULL, 0);
    if (!run(w, counted))
        return false;
    free(w->root);
    w->root = keep_points(w, &w->root_points);
    w->length = w->root_points ? w->root_points : 1;
    return w->root != NULL;
}

/* ---- Units ------------------------------------------------------------------------------------------------------- */

static void numbered_unit(struct worker *w)
{
    for (uint64_t i = w->unit->first; i <= w->unit->last && !w->failed; i++) {
        if (i % w->job->shards != w->job->shard)
            continue;
        if (must_stop(w)) {
            w->done.cut = true;
            return;
        }
        strategy_begin(&w->job->strategy, &w->e->begin, strategy_seed(w->job->seed, i), w->length);
        w->number = i + 1;
        run(w, true);
    }
}

static void unit_work(struct worker *w)
{
    if (w->unit->number == 0) {
        if (find_root(w, w->job->shard == 0))
            for (uint32_t p = 0; p < w->root_points; p++)
                w->done.children += w->root[p] > 1 ? w->root[p] - 1u : 0;
        return;
    }
    if (!find_root(w, false))
        return;
    if (w->job->strategy.kind == STRATEGY_SEARCH)
        search_unit(w);
    else
        numbered_unit(w);
}

static bool get(int fd, void *bytes, size_t count)
{
    while (count) {
        ssize_t n = read(fd, bytes, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = (char *)bytes + n;
        count -= (size_t)n;
    }
    return true;
}

void job_work(const struct job *job, struct explorer *e)
{
    struct job_unit unit;
    struct worker w = {.job = job, .e = e, .unit = &unit};
    w.known = calloc(CAUSES_KNOWN, sizeof *w.known);
    while (w.known && get(job->in, &unit, sizeof unit)) {
        w.done = (struct job_answer){.kind = JOB_DONE, .unit = unit.number};
        w.failed = false;
        w.number = 0;
        unit_work(&w);
        if (w.failed) {
            w.done.kind = JOB_FAILED;
            memcpy(w.done.why, e->why, sizeof w.done.why);
        }
        if (!put(job->out, &w.done, sizeof w.done) || w.failed)
            break;
    }
    free(w.known);
    free(w.root);
}
