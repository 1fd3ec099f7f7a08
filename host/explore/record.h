/*
 * The record of a finding: all that is needed to have the same run again, and to refuse when it would not be the same run.
 * A text file, a fact to a line, in a fixed order; the last line is a SHA-256 of all before it.
 *
 * Reading checks everything before anything is used; what is wrong is said in one line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/digest.h"
#include "door.h"
#include "explore/cause.h"
#include "explore/session.h"

#define RECORD_FORMAT 2
enum { RECORD_BYTES = 1 << 20, RECORD_PATH = 1024 };

struct record_file {
    char path[RECORD_PATH];
    char hash[DIGEST_HEX];
};

struct record {
    char irqlab[32];
    uint64_t door;
    char kernel[DIGEST_HEX]; /* of its modules */
    struct record_file driver[SESSION_DRIVERS];
    unsigned drivers;
    struct record_file scenario; /* path "" = none */
    struct record_file disk;     /* path as --disk has it, "" = none */
    char volume[RECORD_PATH];    /* "" = an empty one */
    char devices[RECORD_PATH];   /* those of --device, a ; between them */
    char infs[RECORD_PATH];      /* likewise those of --inf */
    char os[32];                 /* "" = the default */
    char trace[32];              /* as --trace has it, "" = none */
    char registry[RECORD_PATH];  /* those of --registry, a ; between them */
    char benign[RECORD_PATH];    /* as --benign has it, "" = none */
    uint64_t force_integrity;
    uint64_t cpus, seed, ram, time, watchdog, on_finding, build, special_pool, points, races, from;

    uint64_t number; /* of the run that found it, where runs have numbers */
    uint64_t strategy, every, schedule_seed, depth, length;
    struct door_pick *pick;
    uint32_t picks;

    struct cause cause;
    char events[DIGEST_HEX]; /* of the event record */
};

/* False: path cannot be written, or a name has a character that has no place in a line. */
bool record_write(const struct record *r, FILE *out);

/* text: terminated. False: why. */
bool record_read(struct record *r, const char *text, size_t bytes, char why[256]);
void record_free(struct record *r);

/* Of two records of one cause the one that an exploration comes by first. */
bool record_before(const struct record *a, const struct record *b);

/* The schedule it tells. */
void record_schedule(const struct record *r, struct door_schedule *schedule);
