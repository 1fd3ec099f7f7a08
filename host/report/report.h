/*
 * The report of a run: takes the machine's events as they come (it is a supervisor_event_fn), shows what drivers print
 * at once, and findings as text and as JSON. The shape of both: docs/report-format.md.
 *
 * Event payloads come from a machine that a driver may have wrecked: sizes and texts are checked here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "door.h"
#include "report/symbols.h"
#include "supervisor/supervisor.h"

struct report;

struct report_options {
    FILE *out;
    FILE *json; /* NULL = none */
    bool color;
    int columns;      /* of the terminal, 0 = not known */
    bool full_stacks; /* show the kernel's frames too */
    bool stop_on_finding;
    const char *again;       /* the command that repeats the run */
    struct symbols *symbols; /* borrowed */
    /* of the machine, for the JSON: */
    uint32_t processors;
    uint64_t ram_bytes, seed;
    uint32_t os_major, os_minor, os_build;
};

struct report *report_open(const struct report_options *options);

void report_event(void *report, const struct door_event *event, const void *payload);

/* A line of the tool itself about the run, e.g. "stuck.sys: DriverEntry returned 0xC0000001 STATUS_UNSUCCESSFUL". */
void report_remark(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The machine has ended. Findings that only the outside can see (it was destroyed, it tried to leave) are made here. */
void report_end(struct report *r, const struct supervisor_end *end);

struct report_counts {
    unsigned findings; /* distinct ones */
    unsigned drivers;  /* images of drivers that were mapped */
    unsigned notes;    /* remarks of the kernel */
    unsigned missing;  /* calls of what does not exist here */
    bool stopped;      /* by a bug check */
    uint32_t stop_code;
    bool internal; /* we or the host failed */
    uint64_t time; /* of the last event */
};
struct report_counts report_counts(const struct report *r);

/* The summary lines and the end of the JSON document. */
void report_close(struct report *r, int exit_status);
