/*
 * A finding as the reports show it: the kernel's record with addresses resolved, the rule and the remedy looked up.
 * Made once, then printed as text and as JSON from the same facts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "door.h"
#include "report/contracts.h"
#include "report/json.h"
#include "report/symbols.h"

#define FINDING_FRAMES 32 /* of one stack, inlined ones counted */

struct finding_note {
    uint32_t kind;      /* enum door_note_kind */
    char text[320];     /* "The timer was set at:", "" = none */
    char origin[192];   /* "DPC of timer 'StuckTimer'", "" = none */
    char object[160];   /* "'StuckTimer'", "" = none */
    const char *called; /* the routine that the first driver frame calls; NULL = not known, or not of interest */
    unsigned frame_count;
    struct symbols_frame frame[FINDING_FRAMES];
};

struct finding {
    struct finding *next;
    char rule[40], subject[64], verdict[256];
    uint32_t code;
    uint64_t parameter[4];
    uint64_t time;
    unsigned processor, irql;
    uint64_t key; /* equal for findings of the same kind at the same place */
    unsigned times;
    bool outside;                             /* found from outside the machine: no processor, no level */
    bool stopped;                             /* it was the machine's bug check */
    const struct contract_bugcheck *bugcheck; /* NULL = a code nobody named */
    char parameter_place[4][160];             /* "stuck.sys!TimerDpc+0x2c" where a parameter lies in an image */
    const char *rule_text, *rule_more;        /* NULL = none; more: conditions, to follow after "; " */
    const char *instead_lead, *instead;       /* "let the DPC ", "queue a work item..."; instead NULL = none */
    int place,
        place_outer; /* frames of place_note: the innermost of the driver's own sources; its real function; -1 = none */
    unsigned place_note;
    unsigned note_count;
    struct finding_note note[DOOR_NOTES];
};

/* What two findings have in common when they are the same one again. */
uint64_t finding_key(const struct door_finding *raw, const struct symbols *symbols);

/* The frame that is the finding's place; NULL = none. */
const struct symbols_frame *finding_place(const struct finding *f);

/* NULL = out of memory. Freed with free. */
struct finding *finding_make(struct symbols *symbols, const struct door_event *event, const struct door_finding *raw);

struct finding_style {
    bool color, full_stacks;
    const char *again; /* the command that repeats the run; NULL = none */
};

void finding_print(FILE *out, const struct finding *f, const struct finding_style *style);
void finding_remark(FILE *out, const struct finding *f); /* one line, for what was ignored */
void finding_summary(FILE *out, const struct finding *f);
void finding_json(struct json *j, const struct finding *f);

/* The blue screen. columns: of the terminal, 0 = not known. */
void screen_print(FILE *out, const struct finding *f, bool color, int columns);
