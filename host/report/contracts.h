/*
 * What the contract tables say, for reports and `explain`.
 *
 * The data is made by the build (tools/contracts.lua) from contracts/ and is constant; every string is UTF-8 and
 * static. Texts are sentences in plain words. A remedy is written so that it can stand after "instead: " and also after
 * "let the DPC ": "queue a work item (...); its routine runs at PASSIVE_LEVEL."
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum contract_kind { CONTRACT_FUNCTION, CONTRACT_CALLBACK, CONTRACT_DATA };

struct contract_row {
    const char *name;
    const char *module;           /* "ntoskrnl.exe", "hal.dll"; NULL = it does not exist on this machine */
    const char *header;           /* "wdm.h"; NULL = not known */
    uint8_t kind;                 /* enum contract_kind */
    int8_t min, max;              /* IRQL 0..15; -1 = the documentation states none */
    uint8_t macro;                /* 1 = a macro or inline function: nothing is imported, so nothing is checked */
    uint8_t unlisted;             /* 1 = no documentation page; the level is known otherwise, see source */
    const char *rule;             /* "ZwCreateFile may be called at PASSIVE_LEVEL only." */
    const char *conditions;       /* "APC_LEVEL at most when Timeout (argument 5) is NULL or not zero"; NULL = none */
    const char *effect;           /* "raises to DISPATCH_LEVEL"; NULL = leaves the IRQL alone */
    const char *resident;         /* "the memory of argument 1 must be resident at DISPATCH_LEVEL and above"; NULL */
    const char *remedy;           /* called too high; NULL = nothing general can be said */
    const char *remedy_condition; /* called at a level that is only too high because a condition holds; NULL = none */
    const char *remedy_low;       /* called too low; NULL = it can't be */
    const char *source;           /* where this stands */
};

extern const struct contract_row contract_rows[]; /* strcmp order of name */
extern const size_t contract_row_count;

const struct contract_row *contract_find(const char *name); /* exact; NULL = not known */
/* The best remedy for a call at a level: one of the three above. NULL = none. */
const char *contract_remedy_at(const struct contract_row *row, int level);

/* ---- Levels: the ladder, highest first -------------------------------------------------------------------------- */

struct contract_level {
    const char *name;    /* "DISPATCH_LEVEL" */
    const char *aliases; /* other names, blank between: "LOW_LEVEL"; NULL */
    int8_t low, high;    /* IRQL values on x64: 3 and 11 for DIRQL */
    const char *talk;    /* its name on the x86 ladder of the talk: "CLOCK2, CLOCK1"; NULL = has none there */
    const char *meaning; /* one sentence */
    const char *runs;    /* what runs there */
    const char *masks;   /* what is held off meanwhile */
    const char *touch;   /* what may be touched and called */
    const char *sources; /* how code comes to run there: routines and callbacks */
};

extern const struct contract_level contract_levels[];
extern const size_t contract_level_count;
/* By name or alias, letter case and a missing "_LEVEL" do not count ("dispatch"). */
const struct contract_level *contract_level_find(const char *name);
const struct contract_level *contract_level_at(int irql);
const char *contract_level_name(int irql); /* "DISPATCH_LEVEL"; "DIRQL" for device levels */

/* ---- Rules: by id, what a finding stands for --------------------------------------------------------------------- */

struct contract_rule {
    const char *id;      /* "pool.double-free" */
    uint32_t code;       /* the bug check it usually is; the finding's own code counts */
    const char *rule;    /* one sentence */
    const char *instead; /* as a remedy; NULL = the routine's own remedy is the better one */
};

extern const struct contract_rule contract_rules[]; /* strcmp order of id */
extern const size_t contract_rule_count;
const struct contract_rule *contract_rule_find(const char *id);

/* ---- Remedies by key ("work-item", "no-wait", "release-lock-first" ...) ------------------------------------------ */

struct contract_remedy {
    const char *key, *text;
};

extern const struct contract_remedy contract_remedies[]; /* strcmp order of key */
extern const size_t contract_remedy_count;
const char *contract_remedy_find(const char *key);

/* ---- Bug checks -------------------------------------------------------------------------------------------------- */

struct contract_bugcheck {
    uint32_t code;
    const char *name;
    const char *parameter[4]; /* short labels; NULL = the page describes none */
};

extern const struct contract_bugcheck contract_bugchecks[]; /* by code */
extern const size_t contract_bugcheck_count;
const struct contract_bugcheck *contract_bugcheck_code(uint32_t code);
/* By name, or by code written as 0xA, 0x0000000A or a. */
const struct contract_bugcheck *contract_bugcheck_find(const char *name_or_code);
