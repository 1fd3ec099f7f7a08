/* See pool.h. */
#define _GNU_SOURCE
#include "explore/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STRETCH = 32, POLL_MS = 100, JOBS = 1024 };
#define PATIENCE 2000000000ull /* ns that a run may go on after the end of the exploration */

struct process {
    pid_t pid;
    int fd; /* both ways */
    bool busy;
};

/* An answer that waits for those of earlier units. */
struct late {
    struct late *next;
    struct job_answer answer;
};

struct pool_state {
    struct job_shared *shared;
    struct process *process;
    uint64_t began;
    uint64_t stopping;   /* since when; 0 = not */
    uint64_t next_unit;  /* to be handed out */
    uint64_t next_merge; /* to be merged */
    uint64_t children;   /* of the root */
    uint32_t bound;      /* search: of the units being handed out */
    uint64_t next_child; /* or number of the next run */
    bool all_out;        /* no more units to hand out */
    bool enough;         /* what follows in order is not wanted */
    uint64_t enough_unit, enough_runs;
    struct {
        uint64_t first_unit, last_unit; /* units of a bound */
        uint64_t runs;
        bool cut, closed;
    } level[65];
    uint32_t levels;
    struct late *late;
};

static bool is_search(const struct pool *p)
{
    return p->strategy.kind == STRATEGY_SEARCH;
}

/* ---- Processes --------------------------------------------------------------------------------------------------- */

static struct job_shared *shared_by_job;
static pid_t parent_of_job;

/* The parent is gone: leave nothing behind. As long as it is there it says when to stop: whoever ends an exploration (timeout,
 * a batch system) tells the whole process group, and a run torn off is no finding. */
static void on_orphaned(int number)
{
    if (getppid() == parent_of_job)
        return;
    atomic_store(&shared_by_job->stop, 1);
    supervisor_interrupt();
}

/* The parent has waited long enough for the run under way. */
static void on_abandon(int number)
{
    atomic_store(&shared_by_job->abandoned, 1);
    supervisor_interrupt();
}

static void __attribute__((noreturn)) be_job(struct pool *p, int fd, pid_t parent)
{
    struct job job = {.strategy = p->strategy,
                      .seed = p->seed,
                      .shard = p->shard,
                      .shards = p->shards,
                      .deadline = p->time ? p->state->began + p->time : 0,
                      .shared = p->state->shared,
                      .in = fd,
                      .out = fd};
    signal(SIGINT, SIG_IGN); /* the parent says when to stop */
    shared_by_job = p->state->shared;
    parent_of_job = parent;
    signal(SIGTERM, on_orphaned);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, on_abandon);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    struct explorer *e = explorer_new(p->session, p->machine);
    if (!e)
        _exit(1);
    job_work(&job, e);
    explorer_free(e);
    _exit(0);
}

static bool start_job(struct pool *p, unsigned i)
{
    int pair[2];
    pid_t parent = getpid();
    struct process *process = &p->state->process[i];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    fflush(NULL);
    process->pid = fork();
    if (process->pid == 0) {
        close(pair[0]);
        for (unsigned k = 0; k < i; k++)
            close(p->state->process[k].fd);
        be_job(p, pair[1], parent);
    }
    close(pair[1]);
    process->fd = pair[0];
    return process->pid > 0;
}

static void end_jobs(struct pool *p)
{
    struct pool_state *s = p->state;
    atomic_store(&s->shared->stop, 1);
    for (unsigned i = 0; i < p->jobs; i++)
        if (s->process[i].pid > 0)
            close(s->process[i].fd);
    for (unsigned i = 0; i < p->jobs; i++)
        while (s->process[i].pid > 0 && waitpid(s->process[i].pid, NULL, 0) < 0 && errno == EINTR)
            ;
}

/* ---- Units ------------------------------------------------------------------------------------------------------- */

/* The stretch is made so long that each shard finds STRETCH of its own in it. */
static void cut_stretch(struct pool *p, struct job_unit *unit, uint64_t length)
{
    struct pool_state *s = p->state;
    unit->first = s->next_child;
    unit->last = s->next_child + length * p->shards - 1;
    s->next_child = unit->last + 1;
}

static void next_search_unit(struct pool *p, struct job_unit *unit)
{
    struct pool_state *s = p->state;
    cut_stretch(p, unit, s->bound == 1 ? STRETCH : 1);
    unit->bound = s->bound;
    if (s->level[s->bound].first_unit == 0)
        s->level[s->bound].first_unit = unit->number;
    s->level[s->bound].last_unit = unit->number;
    if (s->next_child < s->children)
        return;
    s->level[s->bound].closed = true;
    s->next_child = 0;
    s->all_out = s->bound == p->strategy.bound || s->bound == 64;
    s->bound++;
}

/* The run without picks is one of those wanted; the numbers of the others are the same for all shards. */
static void next_numbered_unit(struct pool *p, struct job_unit *unit)
{
    struct pool_state *s = p->state;
    cut_stretch(p, unit, STRETCH);
    if (!p->most || unit->last + 2 < p->most)
        return;
    unit->last = p->most - 2;
    s->all_out = true;
}

/* False: there is none to hand out now. */
static bool next_unit(struct pool *p, struct job_unit *unit)
{
    struct pool_state *s = p->state;
    if (s->all_out || s->enough || (s->next_unit > 0 && s->next_merge == 0))
        return false; /* everything waits for the root */
    if (is_search(p) && s->bound > 2 && s->level[s->bound - 2].closed &&
        s->next_merge <= s->level[s->bound - 2].last_unit)
        return false; /* not two bounds ahead: there may be nothing there */
    *unit = (struct job_unit){.number = s->next_unit, .most = ~0ull};
    if (is_search(p) && p->most)
        unit->most = p->most - p->runs;
    if (unit->number > 0 && is_search(p))
        next_search_unit(p, unit);
    else if (unit->number > 0)
        next_numbered_unit(p, unit);
    s->next_unit++;
    return true;
}

static bool hand_out(struct pool *p)
{
    struct job_unit unit;
    for (unsigned i = 0; i < p->jobs; i++)
        if (!p->state->process[i].busy && next_unit(p, &unit)) {
            p->state->process[i].busy = true;
            if (send(p->state->process[i].fd, &unit, sizeof unit, MSG_NOSIGNAL) != sizeof unit)
                return false;
        }
    return true;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static bool before(uint64_t unit, uint64_t run, const struct pool_found *f)
{
    return unit < f->unit || (unit == f->unit && run < f->run);
}

/* Keep the first run with each cause; the list is in order. */
static void keep(struct pool *p, const struct job_answer *a, struct door_pick *pick)
{
    struct pool_found *f, **at;
    for (at = &p->found; (f = *at); at = &f->next)
        if (cause_same(&f->cause, &a->cause))
            break;
    if (f && !before(a->unit, a->runs, f)) {
        free(pick);
        return;
    }
    if (f) {
        *at = f->next;
        free(f->pick);
    } else if ((f = malloc(sizeof *f))) {
        p->found_count++;
    } else {
        free(pick);
        return;
    }
    *f = (struct pool_found){.unit = a->unit,
                             .run = a->runs,
                             .cause = a->cause,
                             .missing = a->missing,
                             .internal = a->internal,
                             .hash = a->hash,
                             .strategy = a->strategy,
                             .depth = a->depth,
                             .length = a->length,
                             .picks = a->picks,
                             .seed = a->seed,
                             .number = a->number,
                             .pick = pick};
    for (at = &p->found; *at && before((*at)->unit, (*at)->run, f); at = &(*at)->next)
        ;
    f->next = *at;
    *at = f;
}

static uint32_t level_of(const struct pool_state *s, uint64_t unit)
{
    uint32_t level = 0;
    while (level + 1 < 65 && s->level[level + 1].first_unit && s->level[level + 1].first_unit <= unit)
        level++;
    return level;
}

/* A bound is done when its last unit has been merged. */
static void merge_search(struct pool *p, const struct job_answer *a)
{
    struct pool_state *s = p->state;
    uint32_t level = level_of(s, a->unit);
    s->level[level].runs += a->runs;
    s->level[level].cut |= a->cut;
    if (level == 0 && a->cut)
        return;
    if (level == 0) {
        s->children = a->children;
        s->bound = 1;
        s->level[0].closed = true;
        p->complete = 1;
        s->all_out = p->strategy.bound == 0 || a->children == 0;
        p->exhausted = a->children == 0;
        return;
    }
    p->last_runs = s->level[level].runs;
    if (!s->level[level].closed || a->unit != s->level[level].last_unit || s->level[level].cut)
        return;
    p->complete = level + 1;
    p->last_runs = 0;
    if (s->level[level].runs == 0 && p->shards == 1) {
        p->exhausted = true;
        s->enough = true;
        s->enough_unit = a->unit;
        s->enough_runs = 0;
    }
}

/* In the units' order. */
static void merge(struct pool *p, struct job_answer *a)
{
    struct pool_state *s = p->state;
    s->next_merge = a->unit + 1;
    p->runs += a->runs;
    p->points = a->points > p->points ? a->points : p->points;
    p->flows = a->flows > p->flows ? a->flows : p->flows;
    p->beyond |= a->beyond;
    if (is_search(p) && p->most && p->runs >= p->most) {
        s->enough = true;
        s->enough_unit = a->unit;
        a->runs -= p->runs - p->most;
        a->cut = true;
        s->enough_runs = a->runs;
        p->runs = p->most;
    }
    if (is_search(p)) {
        merge_search(p, a);
    } else if (p->strategy.kind == STRATEGY_IN_ORDER || p->most == 1) {
        s->all_out = true;
    } else if (p->chance > 0 && a->unit &&
               strategy_chance(p->strategy.depth, p->flows, p->points, p->runs) >= p->chance) {
        s->enough = true;
        s->enough_unit = a->unit;
        s->enough_runs = a->runs;
    }
    if (s->enough)
        atomic_store(&s->shared->stop, 1);
}

static void take_done(struct pool *p, const struct job_answer *a)
{
    struct pool_state *s = p->state;
    struct late *late = malloc(sizeof *late), **at;
    if (!late) {
        snprintf(p->why, sizeof p->why, "out of memory");
        return;
    }
    late->answer = *a;
    for (at = &s->late; *at && (*at)->answer.unit < a->unit; at = &(*at)->next)
        ;
    late->next = *at;
    *at = late;
    while (s->late && s->late->answer.unit == s->next_merge) {
        late = s->late;
        s->late = late->next;
        if (!s->enough)
            merge(p, &late->answer);
        else
            s->next_merge = late->answer.unit + 1;
        free(late);
    }
}

static bool receive_all(int fd, void *bytes, size_t count)
{
    while (count) {
        ssize_t n = recv(fd, bytes, count, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = (char *)bytes + n;
        count -= (size_t)n;
    }
    return true;
}

static bool receive(struct pool *p, struct process *process)
{
    struct job_answer a;
    struct door_pick *pick = NULL;
    if (!receive_all(process->fd, &a, sizeof a)) {
        snprintf(p->why, sizeof p->why, "a process of the exploration has died");
        return false;
    }
    if (a.kind == JOB_FAILED) {
        snprintf(p->why, sizeof p->why, "%.250s", *a.why ? a.why : "out of memory");
        return false;
    }
    if (a.kind == JOB_DONE) {
        process->busy = false;
        take_done(p, &a);
        return !*p->why;
    }
    pick = malloc(a.picks * sizeof *pick + 1);
    if (!pick || !receive_all(process->fd, pick, a.picks * sizeof *pick)) {
        free(pick);
        snprintf(p->why, sizeof p->why, "a process of the exploration has died");
        return false;
    }
    keep(p, &a, pick);
    return true;
}

/* ---- The exploration --------------------------------------------------------------------------------------------- */

static bool any_busy(const struct pool *p)
{
    for (unsigned i = 0; i < p->jobs; i++)
        if (p->state->process[i].busy)
            return true;
    return false;
}

static void check_limits(struct pool *p)
{
    struct pool_state *s = p->state;
    bool late = p->time && job_clock() >= s->began + p->time;
    if (!late && !(p->interrupted && p->interrupted()))
        return;
    s->all_out = true;
    atomic_store(&s->shared->stop, 1);
    if (!s->stopping)
        s->stopping = job_clock();
    if (job_clock() < s->stopping + PATIENCE)
        return;
    for (unsigned i = 0; i < p->jobs; i++)
        if (s->process[i].busy)
            kill(s->process[i].pid, SIGUSR1);
    s->stopping = ~0ull - PATIENCE; /* once is enough */
}

static bool attend(struct pool *p)
{
    struct pool_state *s = p->state;
    struct pollfd wait[JOBS];
    while (hand_out(p) && any_busy(p)) {
        for (unsigned i = 0; i < p->jobs; i++)
            wait[i] = (struct pollfd){.fd = s->process[i].fd, .events = POLLIN};
        int ready = poll(wait, p->jobs, POLL_MS);
        for (unsigned i = 0; ready > 0 && i < p->jobs; i++)
            if (wait[i].revents && !receive(p, &s->process[i]))
                return false;
        check_limits(p);
        if (p->progress)
            p->progress(p->context, p, job_clock() - s->began);
    }
    return true;
}

/* What was found behind the end of what counts was not found. */
static void drop_late_finds(struct pool *p)
{
    struct pool_state *s = p->state;
    for (struct pool_found **at = &p->found, *f; (f = *at);) {
        if (!s->enough || f->unit < s->enough_unit || (f->unit == s->enough_unit && f->run < s->enough_runs)) {
            p->missing |= f->missing;
            p->internal |= f->internal;
            at = &f->next;
            continue;
        }
        *at = f->next;
        free(f->pick);
        free(f);
        p->found_count--;
    }
}

bool pool_run(struct pool *p)
{
    struct pool_state *s = calloc(1, sizeof *s);
    bool ok = s != NULL;
    p->state = s;
    if (p->jobs > JOBS)
        p->jobs = JOBS;
    if (ok) {
        s->process = calloc(p->jobs, sizeof *s->process);
        s->shared = mmap(NULL, sizeof *s->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ok = s->process && s->shared != MAP_FAILED;
        s->began = job_clock();
    }
    for (unsigned i = 0; ok && i < p->jobs; i++)
        ok = start_job(p, i);
    if (!ok)
        snprintf(p->why, sizeof p->why, "cannot start the exploration: %s", strerror(errno));
    ok = ok && attend(p);
    if (s && s->process && s->shared != MAP_FAILED)
        end_jobs(p);
    if (ok)
        drop_late_finds(p);
    return ok;
}

void pool_free(struct pool *p)
{
    struct pool_state *s = p->state;
    for (struct pool_found *f = p->found, *next; f; f = next) {
        next = f->next;
        free(f->pick);
        free(f);
    }
    if (!s)
        return;
    for (struct late *late = s->late, *next; late; late = next) {
        next = late->next;
        free(late);
    }
    if (s->shared != MAP_FAILED && s->shared)
        munmap(s->shared, sizeof *s->shared);
    free(s->process);
    free(s);
}

uint64_t pool_runs_so_far(const struct pool *p)
{
    return atomic_load_explicit(&p->state->shared->runs, memory_order_relaxed);
}

uint32_t pool_bound(const struct pool *p)
{
    return p->state->bound;
}
