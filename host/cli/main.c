/*
 * irqlab: finds the command and calls it. The same program is also the machine's worker process; the supervisor starts
 * it under that name.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "cli/command.h"
#include "cli/near.h"
#include "machine/channel.h"
#include "machine/worker.h"

struct command {
    const char *name;
    int (*call)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"run", command_run, "load drivers into a machine, let virtual time pass, report what they do wrong"},
    {"explore", command_explore, "run drivers under many schedules, report and record what goes wrong in some of them"},
    {"replay", command_replay, "repeat the run of a record that explore has written, event for event"},
    {"shrink", command_shrink, "make a record's run smaller"},
    {"explain", command_explain, "what a routine, level or bug check is about, and at which IRQL it may be called"},
    {"imports", command_imports, "what a driver imports, whether it exists here, and at which levels"},
    {"test", command_test, "run scenarios and in-machine tests, each in a machine of its own"},
    {"client", command_client, "run a program as a user process of a machine that run --serve runs"},
    {"cc", command_cc, "build a driver from source, with the headers and flags it needs"},
    {"doctor", command_doctor, "what this host offers and what is missing"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *out)
{
    fputs("usage: irqlab COMMAND [OPTIONS]\n\n", out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\nirqlab COMMAND --help says more about a command, irqlab --version which irqlab this is.\n"
        "Exit status: 0 clean, 1 findings, 2 usage or bad input, 3 something does not exist here, 70 internal error.\n",
        out);
}

static int unknown(const char *name)
{
    struct near near;
    near_begin(&near, name);
    for (int i = 0; i < COMMANDS; i++)
        near_offer(&near, commands[i].name);
    fprintf(stderr, "irqlab: unknown command '%s'%s%s%s\n", name,
            near.count ? ": did you mean " : " (try irqlab --help)", near.count ? near.best[0] : "",
            near.count ? "?" : "");
    return COMMAND_USAGE;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return COMMAND_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("irqlab " IRQLAB_VERSION);
        return COMMAND_CLEAN;
    }
    bool help = !strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h");
    if (help && argc < 3) {
        usage(stdout);
        return COMMAND_CLEAN;
    }
    const char *name = argv[help ? 2 : 1];
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(name, commands[i].name)) {
            char *ask[] = {"--help", NULL};
            return help ? commands[i].call(1, ask) : commands[i].call(argc - 2, argv + 2);
        }
    return unknown(name);
}

int main(int argc, char **argv)
{
    if (argc > 0 && !strcmp(argv[0], CHANNEL_WORKER_NAME))
        return worker_main();
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves must not keep us from cleaning up */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a status of the machine, not our end */
    int status = dispatch(argc, argv);
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    struct pollfd out = {.fd = 1};
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR)) { /* as any program before a pipe that nobody reads */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    if (status != COMMAND_INTERNAL)
        perror("irqlab: cannot write the report");
    return COMMAND_INTERNAL;
}
