/* irqlab client: a program as a user process of a machine that `irqlab run --serve SOCKET` runs. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/command.h"
#include "client.h"

/* Without a machine every call of the program would fail with ERROR_NOT_READY, and it is not the program's to say why. */
static bool is_socket(const char *path)
{
    struct stat st;
    errno = 0;
    if (!stat(path, &st) && S_ISSOCK(st.st_mode))
        return true;
    fprintf(stderr, "irqlab: client: no machine serves %s: %s\n", path, errno ? strerror(errno) : "it is no socket");
    return false;
}

int command_client(int argc, char **argv)
{
    const char *socket = NULL;
    int at = 0;
    if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
        puts("usage: irqlab client [--socket SOCKET] PROGRAM [ARGUMENTS]\n\n"
             "Runs a program that uses libirqlab-client as a user process of the machine that `irqlab run --serve "
             "SOCKET`\n"
             "runs. The program finds the machine by the environment variable " CLIENT_ENVIRONMENT
             ", which this sets.\n"
             "Exit status: the program's.");
        return COMMAND_CLEAN;
    }
    if (at < argc && !strncmp(argv[at], "--socket=", 9))
        socket = argv[at++] + 9;
    else if (at + 1 < argc && !strcmp(argv[at], "--socket")) {
        socket = argv[at + 1];
        at += 2;
    }
    if (at < argc && !strcmp(argv[at], "--"))
        at++;
    else if (at < argc && argv[at][0] == '-') {
        fprintf(stderr, "irqlab: client: unknown option %s\n", argv[at]);
        return COMMAND_USAGE;
    }
    if (at >= argc) {
        fputs("irqlab: client: which program? (irqlab client [--socket SOCKET] PROGRAM [ARGUMENTS])\n", stderr);
        return COMMAND_USAGE;
    }
    if (socket)
        setenv(CLIENT_ENVIRONMENT, socket, 1);
    if (!getenv(CLIENT_ENVIRONMENT)) {
        fputs("irqlab: client: which machine? (--socket, or " CLIENT_ENVIRONMENT " in the environment)\n", stderr);
        return COMMAND_USAGE;
    }
    if (!is_socket(getenv(CLIENT_ENVIRONMENT)))
        return COMMAND_USAGE;
    execvp(argv[at], argv + at);
    fprintf(stderr, "irqlab: client: %s: %s\n", argv[at], strerror(errno));
    return COMMAND_USAGE;
}
