/*
 * Records and what the user gives: a record made from it, or it made from a record again. And runs that are checked
 * against a record.
 */
#pragma once

#include "cli/given.h"
#include "cli/reported.h"
#include "explore/record.h"

/* Fill in what a record says of the drivers, the machine and us; not the schedule, the cause and the events. */
bool recorded_make(struct record *r, const struct given *g);

/*
 * Read a record and everything it names, as it was then, or say in a line why not (exit status). paths: where drivers are
 * now, by their names; others are where they were.
 */
int recorded_given(struct record *r, struct given *g, const char *path, const char *command, int count, char **paths);

/* Run it with its report. On return events and same tell what the run was: the digest of its event record, and whether
 * it had the record's cause. */
struct recorded_run {
    char again[RECORD_PATH + 64];
    char events[DIGEST_HEX];
    uint64_t hash;   /* as struct cause_watch has it */
    uint32_t points; /* delivery points met */
    bool same;
};
int recorded_run(const struct record *r, struct given *g, struct recorded_run *run);

/* Into a file, in one piece. False: said so. */
bool recorded_write(const struct record *r, const char *path);
