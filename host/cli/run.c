/*
 * irqlab run: one machine, from the drivers' files to the report.
 *
 * Order: check everything the user gave, start the machine, load the drivers in the order given, let virtual time pass
 * or let the scenario operate the machine, unload in reverse order, end, report. An image that Windows would refuse is
 * bad input (status 2) and no machine is started for it; a driver whose DriverEntry fails is not clean (status 1).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "cli/command.h"
#include "cli/reported.h"
#include "explore/strategy.h"
#include "scenario/scenario.h"
#include "serve/serve.h"

struct run {
    struct given given;
    const char *json_path, *record, *schedule, *save_registry;
    bool gdb;
    struct serve serve;

    FILE *json;
    struct door_schedule begin;
    char again[8192];
};

static const struct option table[] = {
    GIVEN_ROWS(struct run),
    {"--test", OPTION_TEXT, offsetof(struct run, given.test), "ROUTINE",
     .help = "call this exported routine of the last driver instead (irqlab test)", .repeats = true},
    {"--client", OPTION_TEXT, offsetof(struct run, serve.program), "COMMAND",
     .help = "instead of letting time pass, run this program as a user process (docs/clients.md)", .repeats = true},
    {"--serve", OPTION_TEXT, offsetof(struct run, serve.socket), "SOCKET",
     .help = "programs may become user processes here, until SIGINT (irqlab client)", .repeats = true},
    {"--schedule", OPTION_TEXT, offsetof(struct run, schedule), "STRATEGY",
     .help = "who goes on at each call: in-order, random or pct:DEPTH, by the seed (in-order)", .repeats = true},
    {"--json", OPTION_TEXT, offsetof(struct run, json_path), "FILE", .help = "write the report there as JSON as well"},
    {"--record", OPTION_TEXT, offsetof(struct run, record), "FILE",
     .help = "write the machine's raw event record there"},
    {"--save-registry", OPTION_TEXT, offsetof(struct run, save_registry), "[KEY=]FILE",
     .help = "write the machine's registry there at the end, as .reg text, or a key as a hive"},
    {"--gdb", OPTION_FLAG, offsetof(struct run, gdb), NULL,
     .help = "for running under gdb: no watchdog, no limits in its way"},
    {0},
};

static void make_again(struct run *r, const struct options *options)
{
    const struct session *s = &r->given.session;
    snprintf(r->again, sizeof r->again, "irqlab run --seed %llu%.4095s", (unsigned long long)r->given.seed,
             options->again);
    for (int i = 0; i < s->drivers; i++) {
        size_t used = strlen(r->again);
        snprintf(r->again + used, sizeof r->again - used, "%s", s->driver[i].path[0] == '-' ? " ./" : " ");
        options_quote(r->again, sizeof r->again, s->driver[i].path);
    }
}

static bool read_schedule(struct run *r)
{
    struct strategy strategy;
    if (!r->schedule)
        return true;
    if (!strategy_read(&strategy, r->schedule) || strategy.kind == STRATEGY_SEARCH) {
        fprintf(stderr, "irqlab: run: --schedule: '%s' is not in-order, random or pct:DEPTH\n", r->schedule);
        return false;
    }
    strategy_begin(&strategy, &r->begin, r->given.seed, STRATEGY_LENGTH);
    r->given.session.schedule = &r->begin;
    return true;
}

static bool operate(struct session *s, void *context)
{
    struct run *r = context;
    bool alive = serve_run(&r->serve, s);
    int status = r->serve.program_status;
    if (*r->serve.error) {
        snprintf(s->error, sizeof s->error, "%s", r->serve.error);
        s->refused = true;
    } else if (alive && r->serve.program && status && s->remark) {
        char text[128];
        snprintf(text, sizeof text,
                 WIFEXITED(status) ? "the client ended with status %d" : "the client ended by signal %d",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        s->remark(s->context, text);
        s->failed = true;
    }
    return alive;
}

/* Everything the user gave, checked before anything is started. An exit status. */
static int prepare(struct run *r, const struct options *options, char **argv)
{
    FILE *record = NULL;
    int status = given_read(&r->given, "run", options->count, argv);
    if (status != COMMAND_CLEAN)
        return status;
    if (r->given.test && (r->given.scenario || !r->given.session.drivers)) {
        fputs("irqlab: run: --test takes a driver and no scenario\n", stderr);
        return COMMAND_USAGE;
    }
    if (r->serve.program && r->serve.socket) {
        fputs("irqlab: run: either --client or --serve\n", stderr);
        return COMMAND_USAGE;
    }
    if ((r->serve.program || r->serve.socket) && (r->given.scenario || r->given.test)) {
        fputs("irqlab: run: --client and --serve take no scenario and no test\n", stderr);
        return COMMAND_USAGE;
    }
    if (r->serve.program || r->serve.socket) {
        r->given.session.operate = operate;
        r->given.session.operator= r;
        r->given.machine.guests = true;
    }
    r->given.session.test = r->given.test;
    if (!read_schedule(r))
        return COMMAND_USAGE;
    if ((r->json_path && !(r->json = input_create(r->json_path))) || (r->record && !(record = input_create(r->record))))
        return COMMAND_USAGE;
    if (r->save_registry &&
        !(r->given.session.save_registry = input_create(registry_place(r->save_registry, r->given.session.save_key))))
        return COMMAND_USAGE;
    if (record)
        fclose(record); /* the supervisor writes it */
    r->given.machine.record_path = r->record;
    r->given.machine.debugger = r->gdb;
    make_again(r, options);
    return COMMAND_CLEAN;
}

static void help(void)
{
    puts("usage: irqlab run [OPTIONS] DRIVER.sys...\n\n"
         "Loads the drivers into a machine in the order given, calls DriverEntry, lets virtual time pass,\n"
         "unloads them, and reports every broken rule. Nothing a driver does reaches this host.\n");
    options_help(table);
    puts("\nFunctions for a scenario:");
    scenario_help(stdout);
    puts("\nTimes: 500ms, 10s, 2m, 1h. Sizes: 64K, 256M, 2G.\n"
         "Exit status: 0 clean, 1 findings or a driver that did not start, 2 usage or bad input,\n"
         "3 the driver called something that does not exist here, 70 internal error.");
}

static int run_parsed(struct run *r, const struct options *options, char **argv)
{
    int status = prepare(r, options, argv);
    if (status == COMMAND_CLEAN) {
        struct reported reported = {.given = &r->given, .again = r->again, .json = r->json};
        status = reported_run(&reported);
    }
    FILE *saved = r->given.session.save_registry;
    if (saved && (ferror(saved) | fclose(saved))) {
        fprintf(stderr, "irqlab: %s: could not be written%s%s\n", r->save_registry, errno ? ": " : "",
                errno ? strerror(errno) : "");
        status = COMMAND_INTERNAL;
    }
    if (r->json && (ferror(r->json) | fclose(r->json))) {
        fprintf(stderr, "irqlab: %s: could not be written%s%s\n", r->json_path, errno ? ": " : "",
                errno ? strerror(errno) : "");
        status = COMMAND_INTERNAL;
    }
    return status;
}

int command_run(int argc, char **argv)
{
    struct run *r = calloc(1, sizeof *r);
    struct options options = {.command = "run", .table = table, .values = r};
    if (!r)
        return COMMAND_INTERNAL;
    given_default(&r->given);
    int status = COMMAND_USAGE;
    if (options_parse(&options, argc, argv)) {
        if (options.help) {
            help();
            free(r);
            return COMMAND_CLEAN;
        }
        status = run_parsed(r, &options, argv);
    }
    given_free(&r->given);
    free(r);
    reported_reraise();
    return status;
}
