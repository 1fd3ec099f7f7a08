/*
 * One machine, run again and again from its snapshot with one schedule after another. When it can't go back (its worker is
 * gone, or files of its volume were changed) a new one is made.
 */
#pragma once

#include "explore/cause.h"
#include "explore/session.h"

struct explorer {
    struct session *session; /* what is to be run; the caller's */
    struct supervisor_options machine;
    struct door_schedule begin; /* the caller fills the first part */
    struct door_schedule met;   /* afterwards */
    struct cause_watch watch;   /* what the run ended with */
    bool ready;
    uint64_t made; /* machines */
    char why[256]; /* after a failure */
};

/* NULL: out of memory. */
struct explorer *explorer_new(struct session *session, const struct supervisor_options *machine);
void explorer_free(struct explorer *e);

/* False: the machine can't be started, or does not come to where the schedules begin: see why. */
bool explorer_run(struct explorer *e);

void explorer_plan(struct explorer *e, const struct door_pick *picks, uint32_t count);
