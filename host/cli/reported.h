/* One run with its report: what `run` is, what `replay` repeats, and how `explore` shows what it found. */
#pragma once

#include "cli/given.h"
#include "report/report.h"

struct reported {
    struct given *given;
    const char *again; /* the command that repeats it */
    FILE *json;        /* NULL = none */

    /* Sees the events too; may be NULL. */
    supervisor_event_fn *tap;
    void *tap_context;

    /* out: */
    struct supervisor_end end;
    bool cut;        /* it was ended before its end */
    uint32_t points; /* of the schedule, met */

    struct symbols *symbols;
    struct report *report;
};

/* Returns an exit status. Ctrl-C ends the machine and its report is completed; see reported_interrupted. */
int reported_run(struct reported *r);

/* From now on the usual signals end the machine, with its report. */
void reported_catch_interrupts(void);
int reported_interrupted(void); /* the signal, 0 = none */
void reported_reraise(void);    /* when there was one: do what it is for */
