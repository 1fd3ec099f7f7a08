/*
 * Programs of the host as user processes of a machine: see include/client.h.
 *
 * Virtual time stands still while they compute. When all of them wait, it goes on to whatever happens next; when an hour of it
 * has brought nothing, it stands still again until a program does something. While some wait and others compute, it keeps the
 * host's pace.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct session;

struct serve {
    const char *socket;  /* path; made, and removed at the end. NULL: one in a folder of our own */
    const char *program; /* a command for sh that is started with the socket's path in its environment; NULL = none */
    /* out: */
    int program_status; /* of waitpid */
    char error[256];    /* "" = none */
};

/* Serve until the program has ended, or SIGINT or SIGTERM, or the machine's end. False: the machine has ended. */
bool serve_run(struct serve *serve, struct session *session);
