/*
 * See report.h. A finding is held back until it is known whether it stopped the machine: the record of the bug check
 * follows it, after what the driver's bug check callbacks print. With --on-finding=continue most do not stop it; there
 * the next event of any kind decides.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "report/finding.h"
#include "report/lines.h"
#include "report/report.h"
#include "report/trace.h"
#include "report/words.h"

enum { FINDING_LIMIT = 10000 }; /* distinct ones that are kept; more are counted only */

struct report {
    struct report_options options;
    struct json json;
    struct lines *lines;
    struct finding *findings, **last; /* distinct, in order */
    struct finding *held;             /* not printed yet */
    unsigned beyond;                  /* findings past the limit */
    char missing[320];                /* what was called and does not exist, until its finding comes; "" = nothing */
    struct report_counts counts;
};

struct report *report_open(const struct report_options *options)
{
    struct report *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->options = *options;
    r->json.out = options->json;
    r->last = &r->findings;
    r->lines = lines_open(options->out, options->color, &r->json);
    json_begin(&r->json, NULL, '{');
    json_string(&r->json, "format", "irqlab-report-1");
    json_string(&r->json, "again", options->again);
    json_begin(&r->json, "machine", '{');
    json_number(&r->json, "cpus", options->processors);
    json_number(&r->json, "ram", options->ram_bytes);
    json_number(&r->json, "seed", options->seed);
    char os[48];
    snprintf(os, sizeof os, "%u.%u.%u", options->os_major, options->os_minor, options->os_build);
    json_string(&r->json, "os", os);
    json_string(&r->json, "on_finding", options->stop_on_finding ? "stop" : "continue");
    json_end(&r->json, '}');
    json_begin(&r->json, "events", '[');
    return r;
}

struct report_counts report_counts(const struct report *r)
{
    return r->counts;
}

/* Print the finding held back. */
static void release(struct report *r)
{
    struct finding *f = r->held;
    struct finding_style style = {
        .color = r->options.color, .full_stacks = r->options.full_stacks, .again = r->options.again};
    if (!f)
        return;
    r->held = NULL;
    lines_flush(r->lines);
    if (f->stopped && f->code)
        screen_print(r->options.out, f, r->options.color, r->options.columns);
    finding_print(r->options.out, f, &style);
    fflush(r->options.out);
}

static void add(struct report *r, struct finding *f)
{
    *r->last = f;
    r->last = &f->next;
    r->counts.findings++;
    r->held = f;
}

static struct finding *known(struct report *r, uint64_t key)
{
    for (struct finding *f = r->findings; f; f = f->next)
        if (f->key == key)
            return f;
    return NULL;
}

static void on_finding(struct report *r, const struct door_event *event, const struct door_finding *raw)
{
    struct finding *f = known(r, finding_key(raw, r->options.symbols));
    release(r);
    if (!strncmp(raw->rule, "driver.missing-import", sizeof raw->rule))
        *r->missing = 0;
    if (f)
        f->times++;
    else if (r->counts.findings >= FINDING_LIMIT || !(f = finding_make(r->options.symbols, event, raw)))
        r->beyond++;
    else
        add(r, f);
}

/* What a free build of Windows does not look at: a line for each place, and no finding. */
static void on_ignored(struct report *r, const struct door_event *event, const struct door_finding *raw)
{
    struct finding *f = finding_make(r->options.symbols, event, raw);
    release(r);
    if (!f)
        return;
    lines_flush(r->lines);
    finding_remark(r->options.out, f);
    json_begin(&r->json, NULL, '{');
    json_string(&r->json, "type", "ignored");
    json_number(&r->json, "time", event->time);
    json_string(&r->json, "rule", f->rule);
    json_string(&r->json, "text", f->verdict);
    json_end(&r->json, '}');
    free(f);
}

static void on_stop(struct report *r, const struct door_event *event, const struct door_finding *raw)
{
    r->counts.stopped = true;
    r->counts.stop_code = raw->code;
    struct finding *f = r->held ? r->held : known(r, finding_key(raw, r->options.symbols));
    bool same = f && f->code == raw->code && !memcmp(f->parameter, raw->parameter, sizeof f->parameter);
    if (!same) {
        release(r);
        f = finding_make(r->options.symbols, event, raw);
        if (!f)
            return;
        if (!*f->verdict)
            snprintf(f->verdict, sizeof f->verdict, "the machine was stopped");
        add(r, f);
    }
    f->stopped = true;
    r->held = f; /* shown again if it was passed over before: now it is the end */
    release(r);
}

static void image_json(struct report *r, const struct door_event *event, const struct door_event_image *image)
{
    json_begin(&r->json, NULL, '{');
    json_string(&r->json, "type", event->type == DOOR_EVENT_IMAGE ? "image" : "unimage");
    json_number(&r->json, "time", event->time);
    json_text(&r->json, "name", image->name, strnlen(image->name, sizeof image->name));
    json_hex(&r->json, "base", image->base);
    json_number(&r->json, "bytes", image->bytes);
    json_bool(&r->json, "driver", image->driver == 1);
    json_end(&r->json, '}');
}

/* The kernel makes a finding of it next, which says more; a machine that can't gets this line. */
static void release_missing(struct report *r)
{
    char line[400];
    if (!*r->missing)
        return;
    snprintf(line, sizeof line, "%s was called; it does not exist here", r->missing);
    *r->missing = 0;
    lines_flush(r->lines);
    fprintf(r->options.out, "irqlab: %s\n", line);
}

/* A line of the kernel or of the tool. */
static void remark(struct report *r, const char *type, uint64_t time, const char *text, size_t bytes)
{
    release_missing(r);
    lines_flush(r->lines);
    fputs("irqlab: ", r->options.out);
    words_safe(r->options.out, text, bytes);
    fputc('\n', r->options.out);
    json_begin(&r->json, NULL, '{');
    json_string(&r->json, "type", type);
    json_number(&r->json, "time", time);
    json_text(&r->json, "text", text, bytes);
    json_end(&r->json, '}');
}

void report_remark(struct report *r, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    release(r);
    remark(r, "remark", r->counts.time, text, strlen(text));
}

static void on_missing(struct report *r, const struct door_event *event, const char *text, size_t bytes)
{
    release_missing(r);
    words_safe_copy(r->missing, sizeof r->missing, text, bytes);
    r->counts.missing++;
    json_begin(&r->json, NULL, '{');
    json_string(&r->json, "type", "missing");
    json_number(&r->json, "time", event->time);
    json_text(&r->json, "text", text, bytes);
    json_end(&r->json, '}');
}

/* A finding as the record holds it, zero-filled where the payload is shorter. */
static struct door_finding *copy_finding(const void *payload, size_t bytes)
{
    struct door_finding *f = calloc(1, sizeof *f);
    if (f)
        memcpy(f, payload, bytes < sizeof *f ? bytes : sizeof *f);
    return f;
}

void report_event(void *context, const struct door_event *event, const void *payload)
{
    struct report *r = context;
    struct door_event_image image = {0};
    struct door_finding *finding = NULL;
    size_t bytes = event->payload;
    if (event->time > r->counts.time)
        r->counts.time = event->time;
    if (!r->options.stop_on_finding && event->type != DOOR_EVENT_STOP)
        release(r);
    switch (event->type) {
    case DOOR_EVENT_PRINT:
        lines_add(r->lines, event, payload, bytes);
        break;
    case DOOR_EVENT_IMAGE:
    case DOOR_EVENT_UNIMAGE:
        memcpy(&image, payload, bytes < sizeof image ? bytes : sizeof image);
        if (event->type == DOOR_EVENT_IMAGE)
            symbols_image(r->options.symbols, &image), r->counts.drivers += image.driver == 1;
        else
            symbols_unimage(r->options.symbols, &image);
        image_json(r, event, &image);
        break;
    case DOOR_EVENT_FINDING:
    case DOOR_EVENT_STOP:
    case DOOR_EVENT_IGNORED:
        finding = copy_finding(payload, bytes);
        if (finding && event->type == DOOR_EVENT_FINDING)
            on_finding(r, event, finding);
        else if (finding && event->type == DOOR_EVENT_IGNORED)
            on_ignored(r, event, finding);
        else if (finding)
            on_stop(r, event, finding);
        free(finding);
        break;
    case DOOR_EVENT_IO:
        release_missing(r);
        lines_flush(r->lines);
        trace_io_show(&r->json, r->options.out, r->options.color, r->options.symbols, event, payload);
        break;
    case DOOR_EVENT_ETW:
        release_missing(r);
        lines_flush(r->lines);
        trace_show(&r->json, r->options.out, r->options.color, event, payload, bytes);
        break;
    case DOOR_EVENT_NOTE:
        r->counts.notes++;
        remark(r, "note", event->time, payload, bytes);
        break;
    case DOOR_EVENT_MISSING:
        on_missing(r, event, payload, bytes);
        break;
    }
}

static void destroyed(struct report *r, const char *detail)
{
    struct door_event event = {.time = r->counts.time};
    struct door_finding *raw = calloc(1, sizeof *raw);
    struct finding *f = NULL;
    if (raw) {
        snprintf(raw->rule, sizeof raw->rule, "machine.destroyed");
        raw->code = 0x109; /* CRITICAL_STRUCTURE_CORRUPTION */
        snprintf(raw->text, sizeof raw->text, "the machine itself was destroyed: %.150s", detail);
        f = finding_make(r->options.symbols, &event, raw);
        free(raw);
    }
    if (f) {
        f->outside = true;
        add(r, f);
        release(r);
    }
}

void report_end(struct report *r, const struct supervisor_end *end)
{
    const char *wrong = NULL;
    if (r->held && end->outcome == SUPERVISOR_STOPPED) /* stopped by what is no bug check: a missing routine */
        r->held->stopped = true;
    lines_flush(r->lines);
    release_missing(r);
    release(r);
    if (end->outcome == SUPERVISOR_INTERNAL)
        wrong = end->detail;
    else if (end->outcome == SUPERVISOR_CRASHED && !strcmp(end->detail, "SIGKILL"))
        wrong = "the machine was killed (SIGKILL), by somebody or for want of memory";
    else if (end->outcome == SUPERVISOR_CRASHED)
        destroyed(r, end->detail);
    else if (end->outcome == SUPERVISOR_STOPPED && !r->counts.findings && !r->counts.missing)
        wrong = "the machine stopped without saying why";
    if (wrong) {
        r->counts.internal = true;
        report_remark(r, "internal error: %s", wrong);
    }
}

void report_close(struct report *r, int exit_status)
{
    struct report_counts *c = &r->counts;
    lines_flush(r->lines);
    release(r);
    json_end(&r->json, ']');
    json_begin(&r->json, "findings", '[');
    for (struct finding *f = r->findings; f; f = f->next)
        finding_json(&r->json, f);
    json_end(&r->json, ']');
    json_bool(&r->json, "stopped", c->stopped);
    json_number(&r->json, "time", c->time);
    json_number(&r->json, "exit_status", (uint64_t)exit_status);
    json_end(&r->json, '}');
    for (struct finding *f = r->findings, *next; f; f = next) {
        next = f->next;
        finding_summary(r->options.out, f);
        free(f);
    }
    if (r->beyond)
        fprintf(r->options.out, "SUMMARY: irqlab: and %u more findings\n", r->beyond);
    fflush(r->options.out);
    lines_close(r->lines);
    free(r);
}
