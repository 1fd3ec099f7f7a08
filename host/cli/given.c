/* See given.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/status.h"
#include "base/temporary.h"
#include "cli/benign.h"
#include "cli/command.h"
#include "cli/given.h"
#include "loader/image.h"
#include "report/symbols.h"
#include "scenario/header.h"

enum { DRIVER_BYTES = 256 << 20, SCENARIO_BYTES = 16 << 20 };

void given_default(struct given *g)
{
    g->seed = UINT64_MAX; /* not said */
    g->time = 100000000;
    g->ram = 256ull << 20;
}

static bool check_image(const char *path, const struct input *file)
{
    struct image_file *image = calloc(1, sizeof *image);
    if (!image)
        return false;
    bool good = image_parse(image, file->bytes, file->size);
    if (!good) {
        const char *name = status_name(image->info.status);
        fprintf(stderr, "irqlab: %s: refused with 0x%08X%s%s: %s\n", path, image->info.status, name ? " " : "",
                name ? name : "", image->info.reason);
    }
    free(image);
    return good;
}

static bool read_driver(struct given *g, const char *command, const char *path)
{
    struct session *s = &g->session;
    struct session_driver *d = &s->driver[s->drivers];
    struct input *file = &g->driver[s->drivers];
    d->path = path;
    d->name = symbols_base(path);
    if (s->drivers == SESSION_DRIVERS - 1) {
        fprintf(stderr, "irqlab: %s: more than %d drivers\n", command, SESSION_DRIVERS - 1);
        return false;
    }
    for (int i = 0; i < s->drivers; i++)
        if (!strcasecmp(s->driver[i].name, d->name)) {
            fprintf(stderr, "irqlab: %s: there is a driver of that name already: %s\n", path, s->driver[i].path);
            return false;
        }
    if (strlen(d->name) >= sizeof((struct door_event_image *)0)->name) {
        fprintf(stderr, "irqlab: %s: the file's name is too long\n", path);
        return false;
    }
    if (!input_read(path, "driver image", DRIVER_BYTES, file))
        return false;
    d->bytes = file->bytes;
    d->size = file->size;
    s->drivers++;
    return check_image(path, file);
}

static bool read_os(struct given *g, const char *command)
{
    unsigned major, minor, build;
    int end = 0;
    if (!g->os)
        return true;
    bool digits = g->os[strspn(g->os, "0123456789.")] == 0 && strlen(g->os) < 24;
    if (!digits || sscanf(g->os, "%5u.%5u.%6u%n", &major, &minor, &build, &end) != 3 || g->os[end]) {
        fprintf(stderr, "irqlab: %s: --os: '%s' is not a version such as 10.0.19045\n", command, g->os);
        return false;
    }
    g->machine.os_major = major;
    g->machine.os_minor = minor;
    g->machine.os_build = build;
    return true;
}

/* Later files go over earlier ones. */
static bool read_registry(struct given *g, const char *command)
{
    char why[256];
    for (int i = 0; i < g->registries.count; i++)
        if (!registry_read(&g->session.registry, g->registries.text[i], why)) {
            fprintf(stderr, "irqlab: %s: --registry: %s\n", command, why);
            return false;
        }
    return true;
}

/* etw or etw:LEVEL, io, or both with a comma */
static bool read_trace(struct given *g, const char *command)
{
    bool good = true;
    for (const char *at = g->trace; at && good; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char word[16] = "";
        uint64_t level = 255;
        size_t length = strcspn(at, ",");
        if (length < sizeof word)
            memcpy(word, at, length);
        if (!strcmp(word, "io"))
            g->machine.trace_io = true;
        else if ((good = !strcmp(word, "etw") ||
                         (!strncmp(word, "etw:", 4) && options_number(word + 4, &level) && level >= 1 && level <= 255)))
            g->machine.trace_level = (uint32_t)level;
    }
    if (!good)
        fprintf(stderr, "irqlab: %s: --trace: '%s' is not io, etw or etw:LEVEL with a level from 1 to 255\n", command,
                g->trace);
    return good;
}

/* FILE or FILE:ro */
static bool read_disk(struct given *g, const char *command)
{
    char why[256];
    size_t length = g->disk ? strlen(g->disk) : 0;
    if (!length)
        return true;
    snprintf(g->disk_path, sizeof g->disk_path, "%s", g->disk);
    if (length > 3 && length < sizeof g->disk_path && !strcmp(g->disk_path + length - 3, ":ro")) {
        g->disk_path[length - 3] = 0;
        g->machine.disk_read_only = true;
    }
    g->machine.disk_path = g->disk_path;
    bool good = supervisor_disk(g->disk_path, g->machine.disk_read_only, why);
    if (!good)
        fprintf(stderr, "irqlab: %s: --disk: %s\n", command, why);
    return good;
}

/* What neither the command line nor the scenario says. */
static void settle(struct given *g, const struct scenario_header *h)
{
    if (!g->cpus)
        g->cpus = h->cpus ? h->cpus : 1;
    if (g->seed == UINT64_MAX)
        g->seed = h->seeded ? h->seed : 0;
    if (!g->on_finding && h->on_finding == 2)
        g->on_finding = 1;
}

static bool read_script(struct given *g, struct scenario_header *h)
{
    char why[256];
    memset(h, 0, sizeof *h);
    if (!g->scenario)
        return true;
    if (!input_read(g->scenario, "scenario", SCENARIO_BYTES, &g->script))
        return false;
    g->session.scenario = g->scenario;
    g->session.script = (const char *)g->script.bytes;
    g->session.script_bytes = g->script.size;
    if (scenario_header(g->scenario, g->session.script, g->script.size, h, why))
        return true;
    fprintf(stderr, "irqlab: %s\n", why);
    return false;
}

/* A driver that the scenario names: one of those given, else in its folder, else where --drivers says. */
static const char *find_driver(struct given *g, const char *command, const char *name, int count, char **paths)
{
    const char *slash = strrchr(g->scenario, '/');
    const char *places[] = {g->scenario, g->drivers};
    char **found = &g->found[g->session.drivers];
    for (int i = 0; i < count; i++)
        if (!strcasecmp(symbols_base(paths[i]), name))
            return paths[i];
    for (int i = 0; i < 2; i++) {
        int bytes = i ? (places[1] ? (int)strlen(places[1]) : 0) : slash ? (int)(slash - places[0]) : 1;
        if (!bytes && i)
            continue;
        free(*found);
        if (asprintf(found, "%.*s/%s", bytes, !i && !slash ? "." : places[i], name) < 0)
            *found = NULL;
        if (*found && !access(*found, R_OK))
            return *found;
    }
    fprintf(stderr, "irqlab: %s: %s: its driver %s is neither given nor beside it%s\n", command, g->scenario, name,
            g->drivers ? " nor where --drivers says" : " (--drivers DIR)");
    return NULL;
}

static bool read_drivers(struct given *g, const struct scenario_header *h, const char *command, int count, char **paths)
{
    for (int i = 0; i < (h->named ? h->drivers : count); i++) {
        const char *path = h->named ? find_driver(g, command, h->driver[i], count, paths) : paths[i];
        if (!path || !read_driver(g, command, path))
            return false;
    }
    return true;
}

/* "ID=x.sys,upper=dir/y.sys": every driver named is one that was given; the machine knows them by their file names. */
static bool read_devices(struct given *g, const char *command)
{
    for (int i = 0; i < g->devices.count; i++) {
        const char *text = g->devices.text[i], *part = strpbrk(text, "=,");
        if (part == text || strlen(text) >= sizeof((struct door_command *)0)->text / 2) {
            fprintf(stderr, "irqlab: %s: --device: '%s' is not ID=DRIVER[,upper=DRIVER][,lower=DRIVER]\n", command,
                    text);
            return false;
        }
        while (part) {
            char name[256];
            part++;
            if (!strncasecmp(part, "upper=", 6) || !strncasecmp(part, "lower=", 6))
                part += 6;
            size_t n = strcspn(part, ",");
            bool ends = n >= 4 && !strncasecmp(part + n - 4, ".sys", 4);
            snprintf(name, sizeof name, "%.*s%s", (int)n, part, ends ? "" : ".sys");
            if (!session_driver_named(&g->session, symbols_base(name))) {
                fprintf(stderr, "irqlab: %s: --device: '%s': no driver %s was given\n", command, text,
                        symbols_base(name));
                return false;
            }
            part = part[n] ? part + n : NULL;
        }
        g->session.device[g->session.devices++] = text;
    }
    return true;
}

static bool is_given(void *context, const char *file)
{
    return session_driver_named(context, file);
}

static bool install(struct given *g, const char *command, const char *path)
{
    struct input file = {0};
    struct inf inf = {0};
    char why[256];
    int before = g->installed->bindings;
    if (!input_read(path, "INF file", INF_FILE_BYTES, &file))
        return false;
    bool good = inf_parse(&inf, file.bytes, file.size, why) && inf_install(&inf, g->installed, why);
    if (good && g->installed->bindings == before && !inf_has(&inf, "DefaultInstall.NTamd64") &&
        !inf_has(&inf, "DefaultInstall")) {
        snprintf(why, sizeof why, "installs nothing for the drivers given");
        good = false;
    }
    if (!good)
        fprintf(stderr, "irqlab: %s: --inf: %s: %s\n", command, path, why);
    inf_free(&inf);
    free(file.bytes);
    return good;
}

/* What INF files bind comes behind what the user binds. */
static bool read_infs(struct given *g, const char *command)
{
    if (!g->infs.count)
        return true;
    if (!(g->installed = calloc(1, sizeof *g->installed))) {
        fprintf(stderr, "irqlab: %s: no memory\n", command);
        return false;
    }
    g->installed->given = is_given;
    g->installed->context = &g->session;
    g->installed->registry = &g->session.registry;
    g->installed->major = g->machine.os_major;
    g->installed->minor = g->machine.os_minor;
    g->installed->build = g->machine.os_build;
    for (int i = 0; i < g->infs.count; i++)
        if (!install(g, command, g->infs.text[i]))
            return false;
    for (int i = 0; i < g->installed->bindings; i++) {
        if (g->session.devices == SESSION_DEVICES) {
            fprintf(stderr, "irqlab: %s: --inf: more than %d devices\n", command, SESSION_DEVICES);
            return false;
        }
        g->session.device[g->session.devices++] = g->installed->binding[i];
    }
    return true;
}

static void describe(struct given *g)
{
    g->machine = (struct supervisor_options){
        .processors = (uint32_t)g->cpus,
        .ram_bytes = g->ram & ~(DOOR_PAGE - 1),
        .seed = g->seed,
        .stop_on_finding = g->on_finding == 0,
        .free_build = g->build != 0,
        .special_pool = g->special_pool == 0,
        .force_integrity = g->force_integrity,
        .points = g->points != 0,
        .races = g->races,
        .os_major = 10,
        .os_build = 19045,
        .kernel_dir = g->kernel_dir,
        .volume_dir = g->volume,
        .watchdog_ms = (uint32_t)(g->watchdog / 10000),
    };
    g->session.time = g->time;
    g->session.seed = g->seed;
    g->session.from = g->from;
    g->session.out = stdout;
}

/* Where the directory of a volume goes that the user has not given. Made and removed, for permissions do not tell of file
 * systems like /proc in which nobody makes one. */
static bool check_temporary(void)
{
    char probe[PATH_MAX];
    if (!input_directory(temporary_base()))
        return false;
    int error = temporary_directory(probe, sizeof probe, "");
    if (!error && rmdir(probe) == 0)
        return true;
    fprintf(stderr, "irqlab: %s: %s, and there the machine's volume would be (see TMPDIR, --volume)\n",
            temporary_base(), strerror(error ? error : errno));
    return false;
}

int given_read(struct given *g, const char *command, int count, char **paths)
{
    struct scenario_header header;
    if (!read_script(g, &header))
        return COMMAND_USAGE;
    settle(g, &header);
    describe(g);
    if (!count && !g->scenario) {
        fprintf(stderr, "irqlab: %s: which driver? (irqlab %s [OPTIONS] DRIVER.sys...)\n", command, command);
        return COMMAND_USAGE;
    }
    if (!read_os(g, command) || !read_trace(g, command) || !read_registry(g, command) || !read_disk(g, command) ||
        (g->volume && !input_directory(g->volume)) || (g->symbols && !input_directory(g->symbols)) ||
        (!g->volume && !check_temporary()))
        return COMMAND_USAGE;
    if ((g->drivers && !input_directory(g->drivers)) || !read_drivers(g, &header, command, count, paths))
        return COMMAND_USAGE;
    for (int i = 0; i < header.devices && g->devices.count < OPTION_LIST_MOST; i++) {
        snprintf(g->header_device[i], HEADER_DEVICE, "%s", header.device[i]);
        g->devices.text[g->devices.count++] = g->header_device[i];
    }
    if (!read_devices(g, command) || !read_infs(g, command) || !benign_read(g, command))
        return COMMAND_USAGE;
    if (!input_kernel_dir(g->kernel_dir, sizeof g->kernel_dir)) {
        fprintf(stderr, "irqlab: the kernel is missing: no ntoskrnl.exe in %s or ../lib/irqlab\n", g->kernel_dir);
        return COMMAND_INTERNAL;
    }
    return COMMAND_CLEAN;
}

void given_free(struct given *g)
{
    for (int i = 0; i < SESSION_DRIVERS; i++)
        free(g->driver[i].bytes);
    for (int i = 0; i < SESSION_DRIVERS; i++)
        free(g->found[i]);
    free(g->script.bytes);
    free(g->session.registry.bytes);
    free(g->installed);
}

bool given_color(const struct given *g)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !g->no_color && !(no_color && *no_color) && isatty(1) && terminal && strcmp(terminal, "dumb");
}

int given_columns(void)
{
    struct winsize size;
    return isatty(1) && !ioctl(1, TIOCGWINSZ, &size) ? size.ws_col : 0;
}
