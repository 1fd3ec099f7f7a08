/*
 * irqlab replay: a finding of the explorer again, event for event. The run is compared with the record's digest of the
 * event record; where it differs we are wrong, not the driver.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/command.h"
#include "cli/recorded.h"

struct replay {
    struct given given;
    uint64_t stop_at;
    const char *record;
    bool gdb, inferior;

    struct record r;
};

#define AT(field) offsetof(struct replay, field)
static const struct option table[] = {
    {"--stop-at", OPTION_NUMBER, AT(stop_at), "N", .help = "at the N-th delivery point say what could go on there", 1,
     UINT32_MAX},
    {"--gdb", OPTION_FLAG, AT(gdb), NULL, .help = "under gdb; with --stop-at it stops there"},
    {"--gdb-inferior", OPTION_FLAG, AT(inferior), NULL, .help = "for being run by gdb: no watchdog, no limits"},
    {"--record", OPTION_TEXT, AT(record), "FILE", .help = "write the machine's raw event record there"},
    {"--symbols", OPTION_TEXT, AT(given.symbols), "DIR", .help = "where symbols are looked for first"},
    {"--full-stacks", OPTION_FLAG, AT(given.full_stacks), NULL, .help = "show the kernel's frames too"},
    {"--no-color", OPTION_FLAG, AT(given.no_color), NULL, .help = "no colours (also: NO_COLOR, or no terminal)"},
    {0},
};

/* The script lies beside the sources, or where it was installed. */
static bool find_script(char *path, size_t room)
{
    static const char *const places[] = {"../contrib/gdb/irqlab.py", "../share/irqlab/irqlab.py"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(path, room, "%s/%s", self, places[i]);
        if (!access(path, R_OK))
            return true;
    }
    return false;
}

/* gdb, which runs us again with --gdb-inferior in place of --gdb. The drivers are named there, so that the script finds
 * their files. */
static int become_gdb(struct replay *p, int argc, char **argv)
{
    char script[4200], *arguments[128] = {"gdb", "-q", "-x", script, "--args"}, self[4096];
    int n = 5;
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    if (bytes <= 0 || !find_script(script, sizeof script) || argc > 50) {
        fputs("irqlab: replay: --gdb: contrib/gdb/irqlab.py is not there\n", stderr);
        return COMMAND_INTERNAL;
    }
    self[bytes] = 0;
    arguments[n++] = self;
    arguments[n++] = "replay";
    for (int i = 0; i < argc; i++)
        arguments[n++] = strcmp(argv[i], "--gdb") ? argv[i] : "--gdb-inferior";
    for (unsigned i = 0; i < p->r.drivers; i++)
        arguments[n++] = (char *)p->given.session.driver[i].path;
    arguments[n] = NULL;
    fflush(NULL);
    execvp("gdb", arguments);
    perror("irqlab: gdb");
    return COMMAND_INTERNAL;
}

static int replay(struct replay *p, int count, char **argv)
{
    struct recorded_run run = {0};
    struct door_schedule *added = calloc(1, sizeof *added);
    if (!added)
        return COMMAND_INTERNAL;
    int status = recorded_given(&p->r, &p->given, argv[0], "replay", count - 1, argv + 1);
    if (status == COMMAND_CLEAN) {
        snprintf(run.again, sizeof run.again, "irqlab replay ");
        options_quote(run.again, sizeof run.again, argv[0]);
        p->given.machine.record_path = p->record;
        p->given.machine.debugger = p->inferior;
        added->stop_at = (uint32_t)p->stop_at;
        added->debugger = p->inferior;
        p->given.session.schedule = added;
        status = recorded_run(&p->r, &p->given, &run);
        bool changed = p->stop_at || p->inferior; /* by us: other events are to be expected */
        if (!changed && !reported_interrupted() && (!run.same || strcmp(run.events, p->r.events))) {
            fprintf(stderr, "irqlab: internal error in irqlab " IRQLAB_VERSION ": the run of %s was not repeated%s\n",
                    argv[0], run.same ? ": the finding is the same, the event record is not" : "");
            status = COMMAND_INTERNAL;
        } else if (p->stop_at > run.points && !reported_interrupted()) {
            fprintf(stderr, "irqlab: --stop-at %llu: the schedule has %u points\n", (unsigned long long)p->stop_at,
                    run.points);
            status = COMMAND_USAGE;
        } else if (!changed && !reported_interrupted()) {
            puts("irqlab: replayed: the same run, event for event");
        }
    }
    free(added);
    return status;
}

static void help(void)
{
    puts("usage: irqlab replay [OPTIONS] RECORD [DRIVER.sys...]\n\n"
         "Repeats the run of a record that irqlab explore has written, byte for byte. Drivers are taken from where\n"
         "they were then, or from where the command line says; their contents must be the same.\n");
    options_help(table);
}

int command_replay(int argc, char **argv)
{
    struct replay *p = calloc(1, sizeof *p);
    struct options options = {.command = "replay", .table = table, .values = p};
    int given = argc;
    char **copy = calloc((size_t)argc + 1, sizeof *copy); /* options_parse moves arguments */
    if (!p || !copy)
        return COMMAND_INTERNAL;
    memcpy(copy, argv, (size_t)argc * sizeof *copy);
    given_default(&p->given);
    int status = COMMAND_USAGE;
    if (options_parse(&options, argc, argv)) {
        if (options.help) {
            help();
            status = COMMAND_CLEAN;
        } else if (!options.count) {
            fputs("irqlab: replay: which record? (irqlab replay [OPTIONS] RECORD [DRIVER.sys...])\n", stderr);
        } else if (p->gdb) {
            status = recorded_given(&p->r, &p->given, argv[0], "replay", options.count - 1, argv + 1);
            status = status == COMMAND_CLEAN ? become_gdb(p, given, copy) : status;
        } else {
            status = replay(p, options.count, argv);
        }
    }
    given_free(&p->given);
    record_free(&p->r);
    free(copy);
    free(p);
    reported_reraise();
    return status;
}
