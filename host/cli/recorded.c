/* See recorded.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "cli/command.h"
#include "cli/recorded.h"
#include "report/symbols.h"
#include "supervisor/supervisor.h"

/* ---- Making one -------------------------------------------------------------------------------------------------- */

static bool digest_kernel(const char *directory, char hex[DIGEST_HEX])
{
    struct digest d;
    char path[4300];
    digest_begin(&d);
    for (const char *const *name = supervisor_modules; *name; name++) {
        struct input in = {0};
        snprintf(path, sizeof path, "%s/%s", directory, *name);
        if (!input_read(path, "module of the kernel", 64 << 20, &in))
            return false;
        digest_add(&d, in.bytes, in.size);
        free(in.bytes);
    }
    digest_end(&d, hex);
    return true;
}

static bool put_path(char *to, size_t room, const char *from)
{
    int n = snprintf(to, room, "%s", from ? from : "");
    return n >= 0 && (size_t)n < room;
}

/* A disk may be large. */
static bool digest_file(const char *path, char hex[DIGEST_HEX])
{
    static char buffer[1 << 16];
    struct digest d;
    FILE *file = fopen(path, "re");
    digest_begin(&d);
    for (size_t n; file && (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
        digest_add(&d, buffer, n);
    digest_end(&d, hex);
    bool ok = file && !ferror(file);
    if (file)
        fclose(file);
    return ok;
}

/* A ; between them. */
static bool put_list(char to[RECORD_PATH], const struct option_list *list)
{
    size_t used = 0;
    for (int i = 0; i < list->count; i++) {
        size_t n = strlen(list->text[i]);
        if (used + n + 2 > RECORD_PATH || strchr(list->text[i], ';'))
            return false;
        used += (size_t)sprintf(to + used, "%s%s", used ? ";" : "", list->text[i]);
    }
    return true;
}

bool recorded_make(struct record *r, const struct given *g)
{
    const struct session *s = &g->session;
    memset(r, 0, sizeof *r);
    bool ok = digest_kernel(g->kernel_dir, r->kernel);
    snprintf(r->irqlab, sizeof r->irqlab, "%s", IRQLAB_VERSION);
    r->door = DOOR_VERSION;
    for (int i = 0; i < s->drivers; i++) {
        ok &= put_path(r->driver[i].path, RECORD_PATH, s->driver[i].path);
        digest_of(s->driver[i].bytes, s->driver[i].size, r->driver[i].hash);
    }
    r->drivers = (unsigned)s->drivers;
    ok &= put_path(r->scenario.path, RECORD_PATH, g->scenario) && put_path(r->volume, RECORD_PATH, g->volume) &&
          put_path(r->os, sizeof r->os, g->os) && put_path(r->trace, sizeof r->trace, g->trace) &&
          put_list(r->registry, &g->registries) && put_path(r->benign, RECORD_PATH, g->benign);
    if (g->scenario)
        digest_of(g->script.bytes, g->script.size, r->scenario.hash);
    ok &= put_path(r->disk.path, RECORD_PATH, g->disk) && (!g->disk || digest_file(g->disk_path, r->disk.hash));
    ok &= put_list(r->devices, &g->devices) && put_list(r->infs, &g->infs);
    r->cpus = g->cpus;
    r->seed = g->seed;
    r->ram = g->ram;
    r->time = g->session.time;
    r->watchdog = g->watchdog;
    r->on_finding = g->on_finding;
    r->build = g->build;
    r->special_pool = g->special_pool;
    r->force_integrity = g->force_integrity;
    r->points = g->points;
    r->races = g->races;
    r->from = g->from;
    if (!ok)
        fprintf(stderr, "irqlab: a path or list of names is too long for a record\n");
    return ok;
}

/* ---- Reading one ------------------------------------------------------------------------------------------------- */

static bool complain(const char *path, const char *what)
{
    fprintf(stderr, "irqlab: %s: %s\n", path, what);
    return false;
}

static bool read_record(struct record *r, const char *path)
{
    struct input in = {0};
    char why[256];
    if (!input_read(path, "record", RECORD_BYTES, &in))
        return false;
    bool ok = record_read(r, (const char *)in.bytes, in.size, why);
    free(in.bytes);
    return ok || complain(path, why);
}

/* Is it of this irqlab? */
static bool check_version(const struct record *r, const char *path, const char *kernel_dir)
{
    char kernel[DIGEST_HEX], why[160];
    if (strcmp(r->irqlab, IRQLAB_VERSION) || r->door != DOOR_VERSION) {
        snprintf(why, sizeof why, "was made by irqlab %s, door %llu; this is irqlab " IRQLAB_VERSION ", door %d",
                 r->irqlab, (unsigned long long)r->door, DOOR_VERSION);
        return complain(path, why);
    }
    if (!digest_kernel(kernel_dir, kernel))
        return false;
    return !strcmp(kernel, r->kernel) || complain(path, "was made with another build of irqlab's kernel");
}

static void restore_list(struct option_list *list, char text[RECORD_PATH], const char *from)
{
    snprintf(text, RECORD_PATH, "%s", from);
    for (char *next = text; *next && list->count < OPTION_LIST_MOST;) {
        list->text[list->count++] = next;
        next += strcspn(next, ";");
        if (*next)
            *next++ = 0;
    }
}

static void restore_options(const struct record *r, struct given *g)
{
    g->scenario = *r->scenario.path ? r->scenario.path : NULL;
    g->volume = *r->volume ? r->volume : NULL;
    g->disk = *r->disk.path ? r->disk.path : NULL;
    restore_list(&g->devices, g->device_text, r->devices);
    restore_list(&g->infs, g->inf_text, r->infs);
    g->os = *r->os ? r->os : NULL;
    g->trace = *r->trace ? r->trace : NULL;
    restore_list(&g->registries, g->registry_text, r->registry);
    g->benign = *r->benign ? r->benign : NULL;
    g->cpus = r->cpus;
    g->seed = r->seed;
    g->ram = r->ram;
    g->time = r->time;
    g->watchdog = r->watchdog;
    g->on_finding = (unsigned)r->on_finding;
    g->build = (unsigned)r->build;
    g->special_pool = (unsigned)r->special_pool;
    g->force_integrity = r->force_integrity != 0;
    g->points = (unsigned)r->points;
    g->races = (unsigned)r->races;
    g->from = (unsigned)r->from;
}

/* Where the drivers are now, and that each path given stands for one of them. */
static bool place_drivers(const struct record *r, const char *path, int count, char **paths, char **now)
{
    for (unsigned i = 0; i < r->drivers; i++)
        now[i] = (char *)r->driver[i].path;
    for (int k = 0; k < count; k++) {
        bool named = false;
        for (unsigned i = 0; i < r->drivers; i++)
            if (!strcasecmp(symbols_base(r->driver[i].path), symbols_base(paths[k]))) {
                now[i] = paths[k];
                named = true;
            }
        if (!named)
            return complain(paths[k], "the record names no driver of this name");
    }
    return true;
}

static bool check_files(const struct record *r, const struct given *g, const char *path)
{
    char hex[DIGEST_HEX];
    for (unsigned i = 0; i < r->drivers; i++) {
        const struct session_driver *d = &g->session.driver[i];
        digest_of(d->bytes, d->size, hex);
        if (strcmp(hex, r->driver[i].hash)) {
            fprintf(stderr, "irqlab: %s: is of another build of %s than %s\n", path, d->name, d->path);
            return false;
        }
    }
    if (g->disk && (!digest_file(g->disk_path, hex) || strcmp(hex, r->disk.hash)))
        return complain(path, "is of a disk with other contents");
    digest_of(g->script.bytes, g->script.size, hex);
    return !g->scenario || !strcmp(hex, r->scenario.hash) ||
           complain(path, "is of another scenario than this file has now");
}

int recorded_given(struct record *r, struct given *g, const char *path, const char *command, int count, char **paths)
{
    char kernel_dir[4200], *now[SESSION_DRIVERS];
    if (!read_record(r, path))
        return COMMAND_USAGE;
    if (input_kernel_dir(kernel_dir, sizeof kernel_dir) && !check_version(r, path, kernel_dir))
        return COMMAND_USAGE;
    if (!place_drivers(r, path, count, paths, now))
        return COMMAND_USAGE;
    restore_options(r, g);
    int status = given_read(g, command, (int)r->drivers, now);
    if (status == COMMAND_CLEAN && !check_files(r, g, path))
        status = COMMAND_USAGE;
    return status;
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

struct tap {
    struct digest digest;
    struct cause_watch watch;
};

static void on_event(void *context, const struct door_event *event, const void *payload)
{
    struct tap *tap = context;
    digest_add(&tap->digest, event, sizeof *event);
    digest_add(&tap->digest, payload, event->payload);
    cause_event(&tap->watch, event, payload);
}

static bool has_cause(const struct record *r, struct tap *tap, const struct reported *reported)
{
    const struct session *s = &reported->given->session;
    if (s->failed)
        cause_add(&tap->watch, "driver.start-failed", "", "DriverEntry returned an error");
    if (*s->error)
        cause_add(&tap->watch, "scenario.error", "", s->error);
    if (s->expects_bugcheck && !s->stopped)
        cause_add(&tap->watch, "scenario.bugcheck-missing", "", "the bug check that the scenario expects did not come");
    cause_of_end(&tap->watch, &reported->end);
    for (unsigned i = 0; i < tap->watch.causes; i++)
        if (cause_same(&tap->watch.cause[i], &r->cause))
            return true;
    return false;
}

int recorded_run(const struct record *r, struct given *g, struct recorded_run *run)
{
    struct tap *tap = calloc(1, sizeof *tap);
    struct door_schedule *schedule = calloc(1, sizeof *schedule);
    struct reported reported = {.given = g, .again = run->again, .tap = on_event, .tap_context = tap};
    int status = COMMAND_INTERNAL;
    if (tap && schedule) {
        digest_begin(&tap->digest);
        cause_begin(&tap->watch);
        if (g->session.schedule) { /* what the caller added to it */
            schedule->stop_at = g->session.schedule->stop_at;
            schedule->debugger = g->session.schedule->debugger;
        }
        uint32_t stop_at = schedule->stop_at, debugger = schedule->debugger;
        record_schedule(r, schedule);
        schedule->stop_at = stop_at;
        schedule->debugger = debugger;
        session_reset(&g->session);
        g->session.schedule = schedule;
        g->machine.scratch = true;
        status = reported_run(&reported);
        g->session.schedule = NULL;
        digest_end(&tap->digest, run->events);
        run->hash = tap->watch.hash;
        run->points = reported.points;
        run->same = has_cause(r, tap, &reported);
    }
    free(schedule);
    free(tap);
    return status;
}

bool recorded_write(const struct record *r, const char *path)
{
    char draft[RECORD_PATH + 300];
    snprintf(draft, sizeof draft, "%s.%ld", path, (long)getpid());
    FILE *file = input_create(draft);
    if (!file)
        return false;
    bool ok = record_write(r, file);
    ok &= fclose(file) == 0;
    ok = ok && rename(draft, path) == 0;
    if (!ok) {
        fprintf(stderr, "irqlab: %s: %s\n", path, strerror(errno));
        unlink(draft);
    }
    return ok;
}
