/*
 * The outer limits on a worker, for when its own watchdog is gone: processor time without a sign of life, and standing
 * still without having asked for anything. Host time never decides what a healthy machine does, only when a broken one
 * is given up.
 */
#define _GNU_SOURCE
#include "supervisor/part.h"

#include <stdio.h>
#include <time.h>

#define IDLE_POLLS 100 /* looks (0.1 s each) at a worker that neither runs nor asks */

static uint64_t cpu_time(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Is it asleep? One that waits for a processor of a loaded host is not. */
static bool sleeps(pid_t pid)
{
    char path[64], state = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    fclose(file);
    return state == 'S';
}

void guard_reset(struct supervisor *s)
{
    s->quiet_cpu = s->last_cpu = s->pid ? cpu_time(s->pid) : 0;
    s->idle_polls = 0;
}

const char *guard_check(struct supervisor *s)
{
    uint64_t progress = atomic_load_explicit(&s->channel->progress, memory_order_relaxed);
    uint64_t cpu = cpu_time(s->pid);

    if (s->debugger)
        return NULL;
    /* It waits for a command that we owe it, and nobody has rung in vain. */
    if (s->asked && atomic_load(&s->channel->resting) && !guests_posted(s)) {
        guard_reset(s);
        return NULL;
    }
    if (s->answered) { /* here and not with each answer: it asks the host for the worker's processor time */
        s->answered = false;
        guard_reset(s);
        return NULL;
    }
    if (progress != s->progress) {
        s->progress = progress;
        guard_reset(s);
        return NULL;
    }
    s->idle_polls = cpu == s->last_cpu && sleeps(s->pid) ? s->idle_polls + 1 : 0;
    s->last_cpu = cpu;
    if (s->idle_polls > IDLE_POLLS)
        return "the worker stands still";
    /* The worker's own watchdog acts after watchdog_ms in a driver and five times that elsewhere. */
    if (cpu - s->quiet_cpu > 8 * s->watchdog_ns + 500000000ull)
        return "the worker runs in an endless loop";
    return NULL;
}
