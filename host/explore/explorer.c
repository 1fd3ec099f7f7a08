/* See explorer.h. */
#include <stdlib.h>
#include <string.h>
#include "explore/explorer.h"

struct explorer *explorer_new(struct session *session, const struct supervisor_options *machine)
{
    struct explorer *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->session = session;
    e->machine = *machine;
    e->machine.snapshots = e->machine.scratch = true;
    e->machine.record_path = NULL;
    return e;
}

static void end_machine(struct explorer *e)
{
    struct supervisor_end end;
    session_finish(e->session, &end);
    e->ready = false;
}

void explorer_free(struct explorer *e)
{
    if (!e)
        return;
    end_machine(e);
    free(e);
}

static void sink(void *context, const struct door_event *event, const void *payload)
{
    cause_event(&((struct explorer *)context)->watch, event, payload);
}

static bool make_machine(struct explorer *e)
{
    struct session *s = e->session;
    end_machine(e);
    session_reset(s);
    cause_begin(&e->watch);
    s->sink = sink;
    s->remark = NULL;
    s->context = e;
    s->schedule = &e->begin;
    *e->why = 0;
    if (!session_start(s, &e->machine, e->why))
        return false;
    if (!session_reach(s)) {
        snprintf(e->why, sizeof e->why, "%.255s",
                 *s->error ? s->error
                 : s->from == SESSION_SCENARIO && !s->stopped && !s->failed && !s->refused
                     ? "the scenario never calls snapshot()"
                     : "the drivers do not come to where the schedules begin");
        return false;
    }
    cause_mark(&e->watch);
    e->made++;
    return e->ready = true;
}

/* A scenario that expects a bug check is content with it alone. */
static void judge_expectation(struct explorer *e)
{
    struct cause_watch *w = &e->watch;
    const struct session *s = e->session;
    if (!s->expects_bugcheck)
        return;
    if (w->causes == 1 && s->stopped && w->cause[0].code == s->bugcheck)
        w->causes = 0;
    else if (!s->stopped)
        cause_add(w, "scenario.bugcheck-missing", "", "the bug check that the scenario expects did not come");
}

static void judge(struct explorer *e)
{
    struct supervisor_end end = {0};
    const struct session *s = e->session;
    if (s->failed)
        cause_add(&e->watch, "driver.start-failed", "", "DriverEntry returned an error");
    if (*s->error)
        cause_add(&e->watch, "scenario.error", "", s->error);
    if (supervisor_ended(s->supervisor, &end))
        cause_of_end(&e->watch, &end);
    judge_expectation(e);
    if (e->begin.strategy == DOOR_PLAN && e->met.unmet && end.outcome != SUPERVISOR_CRASHED) {
        cause_add(&e->watch, "internal", "", "a pick of the schedule was not possible: the run was not repeated");
        e->watch.internal = true;
    }
}

bool explorer_run(struct explorer *e)
{
    struct session *s = e->session;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!e->ready && !make_machine(e))
            return false;
        cause_back(&e->watch);
        s->schedule = &e->begin;
        if (!session_again(s)) {
            e->ready = false;
            continue;
        }
        supervisor_schedule_met(s->supervisor, &e->met);
        judge(e);
        return true;
    }
    snprintf(e->why, sizeof e->why, "the machine cannot go back to its snapshot");
    return false;
}

void explorer_plan(struct explorer *e, const struct door_pick *picks, uint32_t count)
{
    memset(&e->begin, 0, offsetof(struct door_schedule, plan));
    e->begin.strategy = DOOR_PLAN;
    e->begin.every = 1;
    e->begin.plan_picks = count;
    memcpy(e->begin.plan, picks, count * sizeof *picks);
}
