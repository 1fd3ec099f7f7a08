/*
 * Scenarios: Lua 5.4 scripts that operate a machine. The script sees the functions of one table (scenario.c) and Lua's
 * string, table, math and utf8 libraries; no files, no processes, no modules, no byte code, no clock, no addresses. It
 * gets a bounded number of instructions and a bounded amount of memory, so it ends.
 *
 * What a script can reach is what the command line granted: drivers are named as given there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "door.h"

struct registry_stream;

/* What a driver has printed; the text without its newline. */
struct scenario_print {
    const char *text;
    size_t bytes;
    uint64_t time; /* 100 ns */
    uint8_t processor, level;
};

/* The machine, as the caller operates it. False: it has ended (a bug check, for instance); the script ends too. */
struct scenario_machine {
    void *context;
    bool (*advance)(void *context, uint64_t time); /* 100 ns */
    bool (*load)(void *context, const char *name, uint32_t *status);
    bool (*unload)(void *context, const char *name, uint32_t *status);
    bool (*known)(void *context, const char *name); /* a driver given on the command line? */
    bool (*snapshot)(void *context);                /* here exploration begins */
    /* A command without a name (enum door_command_code); *value: its argument, then its reply. */
    bool (*command)(void *context, uint32_t code, uint64_t *value, uint32_t *status);
    /* The same, with a name (of a device, of a power setting). */
    bool (*named)(void *context, uint32_t code, const char *name, uint64_t *value, uint32_t *status);
    /* Operations on the registry (registry/registry.h). */
    bool (*registry)(void *context, const struct registry_stream *request, struct registry_stream *answer,
                     uint32_t *status);
    /* The lines printed so far, by their number; false: there is no such one. */
    bool (*print)(void *context, unsigned index, struct scenario_print *print);
    FILE *out;     /* where print goes */
    uint64_t seed; /* of math.random */
    /* Calls of user processes, see explore/calls.h. */
    bool (*call)(void *context, struct door_call *call, uint8_t *data, bool wait, uint64_t limit, uint32_t *slot);
    void (*collect)(void *context, uint32_t slot, struct door_call *call, uint8_t *data);
};

struct scenario_result {
    char error[512]; /* "" = ran to its end, or until the machine ended; else one line, "file.lua:3: what" */
    bool unmet;      /* error says which expectation is not */
    bool expects_bugcheck;
    uint32_t bugcheck;
};

void scenario_run(const char *path, const char *text, size_t bytes, const struct scenario_machine *machine,
                  struct scenario_result *result);

/* The functions a script may call, one line each. */
void scenario_help(FILE *out);
