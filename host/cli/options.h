/*
 * The command line's options, as tables: one row an option, and one parser for all commands. `--name value` and
 * `--name=value` are the same; `--` ends the options; what is no option is kept in order. A mistake gives one line that
 * says what was expected, and the nearest option where a name is unknown.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_NUMBER, /* uint64_t, within min..max; decimal or 0x */
    OPTION_TIME,   /* uint64_t, 100 ns: 500ms, 10s, 2m, 1h */
    OPTION_SIZE,   /* uint64_t, bytes: 4096, 64K, 256M, 2G */
    OPTION_TEXT,   /* const char *; two of them that differ are refused: one would be left out without a word */
    OPTION_CHOICE, /* unsigned: index into choices, a blank between them */
    OPTION_LIST,   /* struct option_list: may be given several times */
};

enum { OPTION_LIST_MOST = 32 };

struct option_list {
    int count;
    const char *text[OPTION_LIST_MOST];
};

struct option {
    const char *name; /* "--seed"; NULL ends a table */
    enum option_kind kind;
    size_t offset;        /* of its value in the command's struct */
    const char *argument; /* "N", for the help */
    const char *help;
    uint64_t min, max; /* max 0: no bound */
    const char *choices;
    bool repeats; /* belongs in the line that repeats a run */
};

struct options {
    const char *command; /* for messages: "run" */
    const struct option *table;
    void *values;
    /* out: */
    int count;        /* arguments that are no options, moved to the front of argv */
    bool help;        /* --help or -h was there */
    uint64_t given;   /* the rows of the table that were there */
    char again[4096]; /* the options given that repeat, quoted for a shell, a blank before each */
};

/* False: a line was written to stderr. */
bool options_parse(struct options *o, int argc, char **argv);

void options_help(const struct option *table);

bool options_time(const char *text, uint64_t *value);
bool options_size(const char *text, uint64_t *value);
bool options_number(const char *text, uint64_t *value);

/* Append text to buffer, quoted for a shell where it must be. */
void options_quote(char *buffer, size_t room, const char *text);
