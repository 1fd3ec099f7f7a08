/* See reported.h. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "cli/command.h"
#include "cli/reported.h"

/* ---- Interruption ------------------------------------------------------------------------------------------------ */

/* The machine ends, what it has recorded is reported, nothing is left behind; then the signal does what it is for. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = number;
    supervisor_interrupt();
}

void reported_catch_interrupts(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND}; /* the second one is final */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

int reported_interrupted(void)
{
    return interrupted;
}

void reported_reraise(void)
{
    if (!interrupted)
        return;
    fflush(NULL);
    signal(interrupted, SIG_DFL);
    raise(interrupted);
}

/* ---- The outcome ------------------------------------------------------------------------------------------------- */

static int outcome(struct reported *r)
{
    struct report_counts c = report_counts(r->report);
    const struct session *s = &r->given->session;
    bool failed = s->failed;
    if (c.internal)
        return COMMAND_INTERNAL;
    if (s->expects_bugcheck) {
        if (c.stopped && c.stop_code == s->bugcheck && c.findings == 1) {
            report_remark(r->report, "bug check 0x%X came, as the scenario expects", c.stop_code);
            return s->refused ? COMMAND_USAGE : COMMAND_CLEAN;
        }
        if (!c.stopped)
            report_remark(r->report, "bug check 0x%X did not come, though the scenario expects it", s->bugcheck);
        failed = true;
    }
    if (c.missing)
        return COMMAND_MISSING;
    if (s->refused && !c.findings)
        return COMMAND_USAGE;
    return c.findings || failed ? COMMAND_FINDINGS : COMMAND_CLEAN;
}

static void report_clean(struct reported *r)
{
    char names[512] = "";
    const struct session *s = &r->given->session;
    for (int i = 0; i < s->drivers; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s, ", s->driver[i].name);
    }
    uint64_t ms = report_counts(r->report).time / 10000;
    report_remark(r->report, "clean: %s%llu.%03llu s of virtual time, no findings", names,
                  (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static void open_report(struct reported *r)
{
    const struct given *g = r->given;
    r->symbols = symbols_open(g->kernel_dir, g->symbols);
    for (int i = 0; r->symbols && i < g->session.drivers; i++)
        symbols_file(r->symbols, g->session.driver[i].name, g->session.driver[i].path);
    struct report_options options = {
        .out = stdout,
        .json = r->json,
        .color = given_color(g),
        .columns = given_columns(),
        .full_stacks = g->full_stacks,
        .stop_on_finding = g->machine.stop_on_finding,
        .again = r->again,
        .symbols = r->symbols,
        .processors = g->machine.processors,
        .ram_bytes = g->machine.ram_bytes,
        .seed = g->machine.seed,
        .os_major = g->machine.os_major,
        .os_minor = g->machine.os_minor,
        .os_build = g->machine.os_build,
    };
    r->report = r->symbols ? report_open(&options) : NULL;
}

static void on_event(void *context, const struct door_event *event, const void *payload)
{
    struct reported *r = context;
    if (r->tap)
        r->tap(r->tap_context, event, payload);
    report_event(r->report, event, payload);
}

static void on_remark(void *context, const char *text)
{
    report_remark(((struct reported *)context)->report, "%s", text);
}

static void run_supervised(struct reported *r)
{
    struct session *s = &r->given->session;
    char why[256] = "";
    s->sink = on_event;
    s->remark = on_remark;
    s->context = r;
    reported_catch_interrupts();
    bool started = session_start(s, &r->given->machine, why);
    if (started && !interrupted)
        session_operate(s);
    if (*s->error)
        fprintf(stderr, "irqlab: %s\n", s->error);
    if (s->supervisor)
        r->points = supervisor_schedule(s->supervisor)->points;
    session_finish(s, &r->end);
    if (!started) {
        r->end.outcome = SUPERVISOR_INTERNAL;
        snprintf(r->end.detail, sizeof r->end.detail, "%.250s", why);
    }
    /* A debugger that is left kills what it debugs. */
    r->cut = interrupted ||
             (r->given->machine.debugger && r->end.outcome == SUPERVISOR_CRASHED && !strcmp(r->end.detail, "SIGKILL"));
    if (r->cut) {
        r->end.outcome = SUPERVISOR_CLEAN;
        report_remark(r->report, interrupted ? "interrupted" : "the debugger has ended the machine");
    }
}

int reported_run(struct reported *r)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever follows a pipe sees lines as they come */
    open_report(r);
    if (!r->report) {
        fputs("irqlab: out of memory\n", stderr);
        return COMMAND_INTERNAL;
    }
    run_supervised(r);
    report_end(r->report, &r->end);
    int status = outcome(r);
    if (status == COMMAND_CLEAN && !r->given->session.expects_bugcheck && !r->cut)
        report_clean(r);
    if (status == COMMAND_INTERNAL)
        fprintf(stderr, "irqlab: internal error in irqlab " IRQLAB_VERSION ", seed %llu; the run was: %s\n",
                (unsigned long long)r->given->seed, r->again);
    if (r->end.record_error) {
        fprintf(stderr, "irqlab: %s: could not be written: %s\n", r->given->machine.record_path,
                strerror(r->end.record_error));
        status = COMMAND_INTERNAL;
    }
    report_close(r->report, status);
    symbols_close(r->symbols);
    return status;
}
