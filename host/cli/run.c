/*
 * irqlab run: one machine, from the drivers' files to the report.
 *
 * Order: check everything the user gave, start the machine, load the drivers in the order given, let virtual time pass
 * or let the scenario operate the machine, unload in reverse order, end, report. An image that Windows would refuse is
 * bad input (status 2) and no machine is started for it; a driver whose DriverEntry fails is not clean (status 1).
 */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cli/command.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/status.h"
#include "loader/image.h"
#include "report/report.h"
#include "scenario/scenario.h"
#include "supervisor/supervisor.h"

enum { DRIVER_BYTES = 256 << 20, SCENARIO_BYTES = 16 << 20, DRIVERS = 64 };

struct run_options {
    const char *scenario, *volume, *disk, *json, *symbols, *os, *record;
    uint64_t cpus, seed, time, ram, watchdog;
    unsigned on_finding, special_pool; /* 0 = stop, on */
    bool no_color, full_stacks, gdb;
};

#define AT(field) offsetof(struct run_options, field)
static const struct option table[] = {
    {"--scenario", OPTION_TEXT, AT(scenario), "FILE", .help = "let a Lua script operate the machine", .repeats = true},
    {"--for", OPTION_TIME, AT(time), "TIME", .help = "virtual time to let pass without a scenario (10s)",
     .repeats = true},
    {"--cpus", OPTION_NUMBER, AT(cpus), "N", .help = "processors of the machine (1)", 1, DOOR_PROCESSORS,
     .repeats = true},
    {"--seed", OPTION_NUMBER, AT(seed), "N", .help = "the source of everything random (0)"},
    {"--ram", OPTION_SIZE, AT(ram), "SIZE", .help = "memory of the machine (256M)", 32ull << 20, 64ull << 30,
     .repeats = true},
    {"--os", OPTION_TEXT, AT(os), "VERSION", .help = "what the machine says it is (10.0.19045)", .repeats = true},
    {"--volume", OPTION_TEXT, AT(volume), "DIR", .help = "directory that is C: (an empty one, removed afterwards)",
     .repeats = true},
    {"--disk", OPTION_TEXT, AT(disk), "FILE[:ro]", .help = "image file of an ATA disk at ports 1F0-1F7 (none)",
     .repeats = true},
    {"--on-finding", OPTION_CHOICE, AT(on_finding), NULL, .help = "stop at the first finding, or report it and go on",
     0, 0, "stop continue", .repeats = true},
    {"--special-pool", OPTION_CHOICE, AT(special_pool), NULL, .help = "guard pages around pool blocks (on)", 0, 0,
     "on off", .repeats = true},
    {"--watchdog", OPTION_TIME, AT(watchdog), "TIME", .help = "processor time a driver may spin for (2s)", 10000,
     36000000000, .repeats = true},
    {"--symbols", OPTION_TEXT, AT(symbols), "DIR",
     .help = "where symbols are looked for first (then beside the driver)", .repeats = true},
    {"--json", OPTION_TEXT, AT(json), "FILE", .help = "write the report there as JSON as well"},
    {"--record", OPTION_TEXT, AT(record), "FILE", .help = "write the machine's raw event record there"},
    {"--full-stacks", OPTION_FLAG, AT(full_stacks), NULL, .help = "show the kernel's frames too"},
    {"--no-color", OPTION_FLAG, AT(no_color), NULL, .help = "no colours (also: NO_COLOR, or no terminal)"},
    {"--gdb", OPTION_FLAG, AT(gdb), NULL, .help = "for running under gdb: no watchdog, no limits in its way"},
    {0},
};

struct run_driver {
    const char *path, *name; /* name: the last part of path */
    struct input file;
    bool loaded;
};

struct run {
    struct run_options o;
    struct run_driver driver[DRIVERS];
    int drivers;
    struct input script;
    struct supervisor_options machine;
    struct supervisor *supervisor;
    struct symbols *symbols;
    struct report *report;
    FILE *json;
    bool failed;  /* a driver did not start, or an expectation was not met */
    bool refused; /* an image was, or a script is wrong */
    char kernel_dir[4200], disk_path[4096];
    char again[8192];
};

/* ---- Input ----------------------------------------------------------------------------------------------------- */

static bool read_driver(struct run *r, const char *path)
{
    struct run_driver *d = &r->driver[r->drivers];
    d->path = path;
    d->name = symbols_base(path);
    if (r->drivers == DRIVERS - 1) {
        fprintf(stderr, "irqlab: run: more than %d drivers\n", DRIVERS - 1);
        return false;
    }
    for (int i = 0; i < r->drivers; i++)
        if (!strcasecmp(r->driver[i].name, d->name)) {
            fprintf(stderr, "irqlab: %s: there is a driver of that name already: %s\n", path, r->driver[i].path);
            return false;
        }
    if (strlen(d->name) >= sizeof((struct door_event_image *)0)->name) {
        fprintf(stderr, "irqlab: %s: the file's name is too long\n", path);
        return false;
    }
    if (!input_read(path, "driver image", DRIVER_BYTES, &d->file))
        return false;
    r->drivers++;
    struct image_file *image = calloc(1, sizeof *image);
    if (!image)
        return false;
    bool good = image_parse(image, d->file.bytes, d->file.size);
    if (!good) {
        const char *name = status_name(image->info.status);
        fprintf(stderr, "irqlab: %s: refused with 0x%08X%s%s: %s\n", path, image->info.status, name ? " " : "",
                name ? name : "", image->info.reason);
    }
    free(image);
    return good;
}

static bool read_os(struct run *r)
{
    unsigned major, minor, build;
    int end = 0;
    if (!r->o.os)
        return true;
    bool digits = r->o.os[strspn(r->o.os, "0123456789.")] == 0 && strlen(r->o.os) < 24;
    if (!digits || sscanf(r->o.os, "%5u.%5u.%6u%n", &major, &minor, &build, &end) != 3 || r->o.os[end]) {
        fprintf(stderr, "irqlab: run: --os: '%s' is not a version such as 10.0.19045\n", r->o.os);
        return false;
    }
    r->machine.os_major = major;
    r->machine.os_minor = minor;
    r->machine.os_build = build;
    return true;
}

/* FILE or FILE:ro */
static bool read_disk(struct run *r)
{
    char why[256];
    size_t length = r->o.disk ? strlen(r->o.disk) : 0;
    if (!length)
        return true;
    snprintf(r->disk_path, sizeof r->disk_path, "%s", r->o.disk);
    if (length > 3 && length < sizeof r->disk_path && !strcmp(r->disk_path + length - 3, ":ro")) {
        r->disk_path[length - 3] = 0;
        r->machine.disk_read_only = true;
    }
    r->machine.disk_path = r->disk_path;
    bool good = supervisor_disk(r->disk_path, r->machine.disk_read_only, why);
    if (!good)
        fprintf(stderr, "irqlab: run: --disk: %s\n", why);
    return good;
}

static void make_again(struct run *r, const struct options *options)
{
    snprintf(r->again, sizeof r->again, "irqlab run --seed %llu%.4095s", (unsigned long long)r->o.seed, options->again);
    for (int i = 0; i < r->drivers; i++) {
        size_t used = strlen(r->again);
        snprintf(r->again + used, sizeof r->again - used, "%s", r->driver[i].path[0] == '-' ? " ./" : " ");
        options_quote(r->again, sizeof r->again, r->driver[i].path);
    }
}

/* Everything the user gave, checked before anything is started. An exit status. */
static int prepare(struct run *r, const struct options *options, char **argv)
{
    FILE *record = NULL;
    if (!options->count) {
        fputs("irqlab: run: which driver? (irqlab run [OPTIONS] DRIVER.sys...)\n", stderr);
        return COMMAND_USAGE;
    }
    if (!read_os(r) || !read_disk(r) || (r->o.volume && !input_directory(r->o.volume)) ||
        (r->o.symbols && !input_directory(r->o.symbols)))
        return COMMAND_USAGE;
    for (int i = 0; i < options->count; i++)
        if (!read_driver(r, argv[i]))
            return COMMAND_USAGE;
    if (r->o.scenario && !input_read(r->o.scenario, "scenario", SCENARIO_BYTES, &r->script))
        return COMMAND_USAGE;
    if ((r->o.json && !(r->json = input_create(r->o.json))) || (r->o.record && !(record = input_create(r->o.record))))
        return COMMAND_USAGE;
    if (record)
        fclose(record); /* the supervisor writes it */
    if (!input_kernel_dir(r->kernel_dir, sizeof r->kernel_dir)) {
        fprintf(stderr, "irqlab: the kernel is missing: no ntoskrnl.exe in %s or ../lib/irqlab\n", r->kernel_dir);
        return COMMAND_INTERNAL;
    }
    make_again(r, options);
    return COMMAND_CLEAN;
}

/* ---- Operating the machine ------------------------------------------------------------------------------------- */

/* False: the machine has ended. */
static bool command(struct run *r, uint32_t code, const char *text, uint64_t value, uint32_t *status)
{
    struct door_command c = {.code = code, .value = value};
    snprintf(c.text, sizeof c.text, "%s", text);
    bool alive = supervisor_command(r->supervisor, &c);
    if (status)
        *status = c.status;
    return alive;
}

static void remark_status(struct run *r, const char *name, const char *what, uint32_t status)
{
    const char *known = status_name(status);
    report_remark(r->report, "%s: %s 0x%08X%s%s", name, what, status, known ? " " : "", known ? known : "");
}

static bool load(struct run *r, struct run_driver *d, uint32_t *status)
{
    struct report_counts before = report_counts(r->report), after;
    if (!command(r, DOOR_COMMAND_LOAD, d->name, 0, status))
        return false;
    d->loaded = *status < 0x80000000;
    after = report_counts(r->report);
    if (d->loaded)
        return true;
    /* When its image was there and the kernel has nothing to say, it is the driver's own DriverEntry that said no. */
    if (after.drivers > before.drivers && after.notes == before.notes) {
        remark_status(r, d->name, "DriverEntry returned", *status);
        r->failed = true;
        return true;
    }
    if (after.notes == before.notes)
        remark_status(r, d->name, "could not be loaded:", *status);
    r->refused = true;
    return true;
}

static bool unload(struct run *r, const char *name, uint32_t *status)
{
    unsigned before = report_counts(r->report).notes;
    if (!command(r, DOOR_COMMAND_UNLOAD, name, 0, status))
        return false;
    if (*status >= 0x80000000 && report_counts(r->report).notes == before)
        remark_status(r, *name ? name : "unload", *name ? "could not be unloaded:" : "failed:", *status);
    return true;
}

static struct run_driver *driver_named(struct run *r, const char *name)
{
    for (int i = 0; i < r->drivers; i++)
        if (!strcmp(r->driver[i].path, name) || !strcasecmp(r->driver[i].name, name))
            return &r->driver[i];
    return NULL;
}

static bool script_advance(void *context, uint64_t time)
{
    return command(context, DOOR_COMMAND_ADVANCE, "", time, NULL);
}

static bool script_load(void *context, const char *name, uint32_t *status)
{
    return load(context, driver_named(context, name), status);
}

static bool script_unload(void *context, const char *name, uint32_t *status)
{
    return unload(context, driver_named(context, name)->name, status);
}

static bool script_known(void *context, const char *name)
{
    return driver_named(context, name) != NULL;
}

/* Returns false when the machine has ended. */
static bool play(struct run *r, struct scenario_result *result)
{
    struct scenario_machine machine = {.context = r,
                                       .advance = script_advance,
                                       .load = script_load,
                                       .unload = script_unload,
                                       .known = script_known,
                                       .out = stdout,
                                       .seed = r->o.seed};
    scenario_run(r->o.scenario, (const char *)r->script.bytes, r->script.size, &machine, result);
    if (*result->error) {
        fprintf(stderr, "irqlab: %s\n", result->error);
        r->refused = true;
    }
    return !report_counts(r->report).stopped;
}

/* From the first load to the end of the machine, whichever way it comes. */
static void operate(struct run *r, struct scenario_result *result)
{
    uint32_t status = 0;
    for (int i = 0; i < r->drivers; i++)
        if (!supervisor_offer(r->supervisor, r->driver[i].name, r->driver[i].file.bytes, r->driver[i].file.size)) {
            report_remark(r->report, "%s: the machine has no room for it", r->driver[i].name);
            r->refused = true;
            return;
        }
    for (int i = 0; i < r->drivers && !r->failed && !r->refused; i++)
        if (!load(r, &r->driver[i], &status))
            return;
    if (!r->failed && !r->refused) {
        bool alive = r->o.scenario ? play(r, result) : command(r, DOOR_COMMAND_ADVANCE, "", r->o.time, NULL);
        if (!alive)
            return;
    }
    if (unload(r, "", &status))
        command(r, DOOR_COMMAND_END, "", 0, NULL);
}

/* ---- The outcome ----------------------------------------------------------------------------------------------- */

static int outcome(struct run *r, const struct scenario_result *result)
{
    struct report_counts c = report_counts(r->report);
    if (c.internal)
        return COMMAND_INTERNAL;
    if (result->expects_bugcheck) {
        if (c.stopped && c.stop_code == result->bugcheck && c.findings == 1) {
            report_remark(r->report, "bug check 0x%X came, as the scenario expects", c.stop_code);
            return r->refused ? COMMAND_USAGE : COMMAND_CLEAN;
        }
        if (!c.stopped)
            report_remark(r->report, "bug check 0x%X did not come, though the scenario expects it", result->bugcheck);
        r->failed = true;
    }
    if (c.missing)
        return COMMAND_MISSING;
    if (r->refused && !c.findings)
        return COMMAND_USAGE;
    return c.findings || r->failed ? COMMAND_FINDINGS : COMMAND_CLEAN;
}

static void report_clean(struct run *r)
{
    char names[512] = "";
    for (int i = 0; i < r->drivers; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", r->driver[i].name);
    }
    uint64_t ms = report_counts(r->report).time / 10000;
    report_remark(r->report, "clean: %s, %llu.%03llu s of virtual time, no findings", names,
                  (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}

static bool use_color(const struct run_options *o)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !o->no_color && !(no_color && *no_color) && isatty(1) && terminal && strcmp(terminal, "dumb");
}

static int terminal_columns(void)
{
    struct winsize size;
    return isatty(1) && !ioctl(1, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

static void open_report(struct run *r)
{
    r->symbols = symbols_open(r->kernel_dir, r->o.symbols);
    for (int i = 0; r->symbols && i < r->drivers; i++)
        symbols_file(r->symbols, r->driver[i].name, r->driver[i].path);
    struct report_options options = {
        .out = stdout,
        .json = r->json,
        .color = use_color(&r->o),
        .columns = terminal_columns(),
        .full_stacks = r->o.full_stacks,
        .stop_on_finding = r->machine.stop_on_finding,
        .again = r->again,
        .symbols = r->symbols,
        .processors = r->machine.processors,
        .ram_bytes = r->machine.ram_bytes,
        .seed = r->machine.seed,
        .os_major = r->machine.os_major,
        .os_minor = r->machine.os_minor,
        .os_build = r->machine.os_build,
    };
    r->report = r->symbols ? report_open(&options) : NULL;
}

/* ---- Interruption ------------------------------------------------------------------------------------------- */

/* The machine ends, what it has recorded is reported, nothing is left behind; then the signal does what it is for. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = number;
    supervisor_interrupt();
}

static void catch_interrupts(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND}; /* the second one is final */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

static void run_supervised(struct run *r, struct scenario_result *result, struct supervisor_end *end)
{
    char why[256] = "";
    catch_interrupts();
    r->supervisor = supervisor_start(&r->machine, report_event, r->report, why);
    if (!r->supervisor) {
        end->outcome = SUPERVISOR_INTERNAL;
        snprintf(end->detail, sizeof end->detail, "%.250s", why);
        return;
    }
    if (!interrupted)
        operate(r, result);
    supervisor_finish(r->supervisor, end);
    if (interrupted) {
        end->outcome = SUPERVISOR_CLEAN;
        report_remark(r->report, "interrupted");
    }
}

static int run_machine(struct run *r)
{
    struct scenario_result result = {0};
    struct supervisor_end end = {0};
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever follows a pipe sees lines as they come */
    open_report(r);
    if (!r->report) {
        fputs("irqlab: out of memory\n", stderr);
        return COMMAND_INTERNAL;
    }
    run_supervised(r, &result, &end);
    report_end(r->report, &end);
    int status = outcome(r, &result);
    if (status == COMMAND_CLEAN && !result.expects_bugcheck && !interrupted)
        report_clean(r);
    if (status == COMMAND_INTERNAL)
        fprintf(stderr, "irqlab: internal error in irqlab " IRQLAB_VERSION ", seed %llu; the run was: %s\n",
                (unsigned long long)r->o.seed, r->again);
    report_close(r->report, status);
    return status;
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

int command_run(int argc, char **argv)
{
    struct run *r = calloc(1, sizeof *r);
    struct options options = {.command = "run", .table = table, .values = r ? &r->o : NULL};
    if (!r)
        return COMMAND_INTERNAL;
    r->o.cpus = 1;
    r->o.time = 100000000;
    r->o.ram = 256ull << 20;
    int status = COMMAND_USAGE;
    if (options_parse(&options, argc, argv)) {
        if (options.help) {
            help();
            free(r);
            return COMMAND_CLEAN;
        }
        r->machine = (struct supervisor_options){
            .processors = (uint32_t)r->o.cpus,
            .ram_bytes = r->o.ram & ~(DOOR_PAGE - 1),
            .seed = r->o.seed,
            .stop_on_finding = r->o.on_finding == 0,
            .special_pool = r->o.special_pool == 0,
            .os_major = 10,
            .os_build = 19045,
            .kernel_dir = r->kernel_dir,
            .volume_dir = r->o.volume,
            .record_path = r->o.record,
            .watchdog_ms = (uint32_t)(r->o.watchdog / 10000),
            .debugger = r->o.gdb,
        };
        status = prepare(r, &options, argv);
        if (status == COMMAND_CLEAN)
            status = run_machine(r);
    }
    if (r->json && (ferror(r->json) | fclose(r->json))) {
        fprintf(stderr, "irqlab: %s: could not be written\n", r->o.json);
        status = COMMAND_INTERNAL;
    }
    for (int i = 0; i < DRIVERS; i++)
        free(r->driver[i].file.bytes);
    free(r->script.bytes);
    symbols_close(r->symbols);
    free(r);
    if (interrupted) {
        fflush(NULL);
        signal(interrupted, SIG_DFL);
        raise(interrupted);
    }
    return status;
}
