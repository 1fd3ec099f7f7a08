/*
 * What a user gives to run drivers: options, drivers, a scenario. The commands that run drivers share these; each has
 * options of its own besides.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "cli/input.h"
#include "cli/options.h"
#include "explore/session.h"
#include "inf/inf.h"
#include "scenario/header.h"

struct given {
    /* options: */
    const char *scenario, *drivers, *test, *volume, *disk, *symbols, *os, *trace, *save_registry;
    struct option_list devices, infs, registries;
    uint64_t cpus, seed, time, ram, watchdog;
    unsigned on_finding, special_pool, from; /* 0 = stop, on; enum session_from */
    unsigned build;                          /* 0 = strict */
    unsigned points, races;                  /* 1 = accesses are delivery points too; enum door_races */
    const char *benign;                      /* see benign.h */
    bool full_stacks, no_color, force_integrity;

    /* read from them: */
    struct input script, driver[SESSION_DRIVERS];
    char *found[SESSION_DRIVERS]; /* paths of drivers that the scenario names */
    struct session session;
    struct supervisor_options machine;
    char kernel_dir[4200], disk_path[4096], device_text[4096], inf_text[4096], registry_text[4096];
    struct inf_target *installed;                      /* what the INF files bind */
    char header_device[HEADER_DEVICES][HEADER_DEVICE]; /* those that the scenario names */
};

/* Rows for the table of a command whose values are a `type` with a struct given `given`. */
#define GIVEN_AT(type, field) offsetof(type, given.field)
#define GIVEN_ROWS(type)                                                                                                 \
    {"--scenario",   OPTION_TEXT, GIVEN_AT(type, scenario), "FILE", .help = "let a Lua script operate the machine",      \
     .repeats = true},                                                                                                   \
        {"--drivers",                                                                                                    \
         OPTION_TEXT,                                                                                                    \
         GIVEN_AT(type, drivers),                                                                                        \
         "DIR",                                                                                                          \
         .help = "where the drivers lie that the scenario names (its own folder is looked into first)",                  \
         .repeats = true},                                                                                               \
        {"--for",                                                                                                        \
         OPTION_TIME,                                                                                                    \
         GIVEN_AT(type, time),                                                                                           \
         "TIME",                                                                                                         \
         .help = "virtual time to let pass without a scenario (10s)",                                                    \
         .repeats = true},                                                                                               \
        {"--cpus", OPTION_NUMBER,   GIVEN_AT(type, cpus), "N", .help = "processors of the machine (1)",                  \
         1,        DOOR_PROCESSORS, .repeats = true},                                                                    \
        {"--seed", OPTION_NUMBER, GIVEN_AT(type, seed), "N", .help = "the source of everything random (0)"},             \
        {"--ram",     OPTION_SIZE, GIVEN_AT(type, ram), "SIZE", .help = "memory of the machine (256M)",                  \
         32ull << 20, 64ull << 30, .repeats = true},                                                                     \
        {"--os",         OPTION_TEXT, GIVEN_AT(type, os), "VERSION", .help = "what the machine says it is (10.0.19045)", \
         .repeats = true},                                                                                               \
        {"--volume",                                                                                                     \
         OPTION_TEXT,                                                                                                    \
         GIVEN_AT(type, volume),                                                                                         \
         "DIR",                                                                                                          \
         .help = "directory that is C: (an empty one, removed afterwards)",                                              \
         .repeats = true},                                                                                               \
        {"--disk",                                                                                                       \
         OPTION_TEXT,                                                                                                    \
         GIVEN_AT(type, disk),                                                                                           \
         "FILE[:ro]",                                                                                                    \
         .help = "image file of an ATA disk at ports 1F0-1F7 (none)",                                                    \
         .repeats = true},                                                                                               \
        {"--device",                                                                                                     \
         OPTION_LIST,                                                                                                    \
         GIVEN_AT(type, devices),                                                                                        \
         "ID[=DRIVER]",                                                                                                  \
         .help = "a device and its drivers: 'Root\\X=x.sys,upper=f.sys'",                                                \
         .repeats = true},                                                                                               \
        {"--inf",                                                                                                        \
         OPTION_LIST,                                                                                                    \
         GIVEN_AT(type, infs),                                                                                           \
         "FILE",                                                                                                         \
         .help = "the devices and registry values that an INF file installs for the drivers",                            \
         .repeats = true},                                                                                               \
        {"--on-finding",                                                                                                 \
         OPTION_CHOICE,                                                                                                  \
         GIVEN_AT(type, on_finding),                                                                                     \
         NULL,                                                                                                           \
         .help = "stop at the first finding, or report it and go on",                                                    \
         0,                                                                                                              \
         0,                                                                                                              \
         "stop continue",                                                                                                \
         .repeats = true},                                                                                               \
        {"--build",                                                                                                      \
         OPTION_CHOICE,                                                                                                  \
         GIVEN_AT(type, build),                                                                                          \
         NULL,                                                                                                           \
         .help = "everything is checked, or only what a free build of Windows stops for",                                \
         0,                                                                                                              \
         0,                                                                                                              \
         "strict free",                                                                                                  \
         .repeats = true},                                                                                               \
        {"--special-pool",                                                                                               \
         OPTION_CHOICE,                                                                                                  \
         GIVEN_AT(type, special_pool),                                                                                   \
         NULL,                                                                                                           \
         .help = "guard pages around pool blocks (on)",                                                                  \
         0,                                                                                                              \
         0,                                                                                                              \
         "on off",                                                                                                       \
         .repeats = true},                                                                                               \
        {"--force-integrity", OPTION_FLAG, GIVEN_AT(type, force_integrity), NULL,                                        \
         .help = "callbacks that Windows wants a signed image for are taken only from images that ask to be checked"},   \
        {"--watchdog",                                                                                                   \
         OPTION_TIME,                                                                                                    \
         GIVEN_AT(type, watchdog),                                                                                       \
         "TIME",                                                                                                         \
         .help = "processor time a driver may spin for (2s)",                                                            \
         10000,                                                                                                          \
         36000000000,                                                                                                    \
         .repeats = true},                                                                                               \
        {"--symbols",                                                                                                    \
         OPTION_TEXT,                                                                                                    \
         GIVEN_AT(type, symbols),                                                                                        \
         "DIR",                                                                                                          \
         .help = "where symbols are looked for first (then beside the driver)",                                          \
         .repeats = true},                                                                                               \
        {"--registry",                                                                                                   \
         OPTION_LIST,                                                                                                    \
         GIVEN_AT(type, registries),                                                                                     \
         "[KEY=]FILE",                                                                                                   \
         .help = "a .reg text or a hive to begin with",                                                                  \
         .repeats = true},                                                                                               \
        {"--trace",                                                                                                      \
         OPTION_TEXT,                                                                                                    \
         GIVEN_AT(type, trace),                                                                                          \
         "etw[:LEVEL],io",                                                                                               \
         .help = "enable event providers, record their events up to LEVEL 1-255 (255); each step of a request",          \
         .repeats = true},                                                                                               \
        {"--full-stacks", OPTION_FLAG, GIVEN_AT(type, full_stacks), NULL, .help = "show the kernel's frames too"},       \
    {                                                                                                                    \
        "--no-color", OPTION_FLAG, GIVEN_AT(type, no_color), NULL,                                                       \
            .help = "no colours (also: NO_COLOR, or no terminal)"                                                        \
    }

void given_default(struct given *g);
/* Check everything and read it, before anything is started. An exit status; a line was written to stderr. */
int given_read(struct given *g, const char *command, int count, char **paths);
void given_free(struct given *g);

bool given_color(const struct given *g); /* of the terminal on stdout */
int given_columns(void);
