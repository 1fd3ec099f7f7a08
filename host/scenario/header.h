/*
 * What a scenario wants of its machine: its call of machine{...}, which must be the first thing it does. The rest of the
 * script is not run for this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEADER_DRIVERS = 63, HEADER_NAME = 64, HEADER_DEVICES = 16, HEADER_DEVICE = 256 };

struct scenario_header {
    uint64_t cpus; /* 0 = not said */
    bool seeded;
    uint64_t seed;
    unsigned on_finding; /* 0 = not said, 1 = stop, 2 = continue */
    bool named;          /* drivers are */
    int drivers;
    char driver[HEADER_DRIVERS][HEADER_NAME];
    int devices;
    char device[HEADER_DEVICES][HEADER_DEVICE]; /* "ID=DRIVER" as --device has it */
};

/* False: what is wrong with it is in why ("x.lua:3: machine: ..."), its syntax included. A script with an error elsewhere has no
 * header; it will be told when it runs. */
bool scenario_header(const char *path, const char *text, size_t bytes, struct scenario_header *h, char why[256]);
