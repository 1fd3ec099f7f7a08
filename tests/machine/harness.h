/*
 * Runs a test kernel in a machine and keeps what it said.
 */
#pragma once

#include "machine/worker.h"
#include "supervisor/supervisor.h"

struct harness {
    struct supervisor_options options;
    struct supervisor *machine;
    char why[256];
    char said[65536]; /* every note and print, a line each */
    unsigned events, findings;
    struct supervisor_end end;
};

void harness_prepare(struct harness *h, const char *kernel); /* a folder of build/tests/machine */
bool harness_start(struct harness *h);
/* Send one command so that the kernel runs its test of this name; false = the machine ended. */
bool harness_step(struct harness *h, const char *test);
void harness_finish(struct harness *h);
bool harness_said(const struct harness *h, const char *line);
