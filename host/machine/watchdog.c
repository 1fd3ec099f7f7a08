/*
 * Code that never reaches a delivery point.
 *
 * Every 0.1 s of processor time we look whether the machine has moved: its time, or the running processor's count of
 * delivery points and budget of calls. When nothing has for watchdog_ms and the code is a driver's, it is stepped
 * through one instruction at a time for a while; the lowest address it comes by is the place reported, so that the
 * place does not depend on when we looked. Elsewhere (the kernel itself turns in circles) five times as long is
 * allowed, then it is an internal error. The supervisor, which has limits of its own, is told of each step of the
 * machine's time: the only sign of life that code cannot give by writing to its processor's area alone.
 */
#define _GNU_SOURCE
#include "machine/trap.h"

#include <sys/time.h>

#define TICK_MS 100
#define STEPS 20000

static struct {
    uint64_t now, points, budget;
    uint32_t quiet;         /* ticks without a sign of life */
    bool stepping, stepped; /* now; ever */
    uint32_t steps;
    uint64_t lowest; /* 0 = none yet */
} watch;

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(&watch, sizeof(watch));
}

void watchdog_start(void)
{
    struct itimerval every = {{0, TICK_MS * 1000}, {0, TICK_MS * 1000}};

    if (machine.watchdog_ms)
        setitimer(ITIMER_PROF, &every, NULL);
}

static bool alive(const struct trap *t)
{
    uint64_t points, now = machine.door.now;
    uint32_t budget;

    if (!trap_read(&points, (uint64_t)t->area + DOOR_PCR_POINTS, sizeof(points)) ||
        !trap_read(&budget, (uint64_t)t->area + DOOR_PCR_BUDGET, sizeof(budget)))
        return false;
    if (now == watch.now && points == watch.points && budget == watch.budget)
        return false;
    watch.now = now;
    watch.points = points;
    watch.budget = budget;
    return true;
}

static void step_on(struct trap *t)
{
    t->reg[REG_EFL] |= (greg_t)TRAP_FLAG_STEP;
}

void watchdog_cancel(struct trap *t)
{
    if (!watch.stepping)
        return;
    watch.stepping = false;
    watch.quiet = 0;
    t->reg[REG_EFL] &= ~(greg_t)TRAP_FLAG_STEP;
}

void watchdog_tick(struct trap *t)
{
    uint32_t limit = (machine.watchdog_ms + TICK_MS - 1) / TICK_MS;

    if (machine.door.now != watch.now)
        atomic_fetch_add_explicit(&channel->progress, 1, memory_order_relaxed);
    if (alive(t)) {
        watch.quiet = 0;
        watchdog_cancel(t);
        return;
    }
    watch.quiet++;
    if (watch.stepping) {
        step_on(t); /* popf may have ended it */
    } else if (images_owner(trap_rip(t)) == IMAGES_DRIVER && watch.quiet >= limit) {
        watch.stepping = watch.stepped = true;
        watch.steps = 0;
        watch.lowest = 0;
        step_on(t);
    } else if (watch.quiet >= 5 * limit) {
        machine_internal("no delivery point is reached; code at %X (rsp %X, last fault at %X) runs in circles",
                         trap_rip(t), (uint64_t)t->reg[REG_RSP], (uint64_t)t->reg[REG_CR2]);
    }
}

bool watchdog_step(struct trap *t)
{
    uint64_t rip = trap_rip(t);

    if (!watch.stepping && watch.stepped) {
        /* flags pushed while we stepped have been popped */
        t->reg[REG_EFL] &= ~(greg_t)TRAP_FLAG_STEP;
        return t->reg[REG_TRAPNO] == 1;
    }
    if (!watch.stepping)
        return false;
    if (watch.steps < STEPS) {
        watch.steps++;
        if (images_owner(rip) == IMAGES_DRIVER && (!watch.lowest || rip < watch.lowest))
            watch.lowest = rip;
    } else if (rip == watch.lowest || ++watch.steps > 4 * STEPS) {
        trap_deliver(t, DOOR_TRAP_WATCHDOG, 0, 0);
    }
    return true;
}
