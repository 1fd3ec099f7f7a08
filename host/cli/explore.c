/*
 * irqlab explore: many schedules of one run, in parallel processes, each from a snapshot; then a report and a record for
 * each cause found, and what was covered.
 *
 * Standard output does not depend on the host: no times, no rates. Those are on the progress line, on a terminal only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/command.h"
#include "cli/recorded.h"
#include "explore/pool.h"

enum { REPORTS = 100 }; /* causes that are shown */

struct explore {
    struct given given;
    const char *strategy_text, *budget, *shard, *out;
    uint64_t jobs;
    unsigned points, races; /* indices of the choices below */

    struct pool pool;
    unsigned written;
    bool differs; /* a run was not repeated */
};

static const struct option table[] = {
    GIVEN_ROWS(struct explore),
    {"--snapshot", OPTION_CHOICE, offsetof(struct explore, given.from), NULL,
     .help = "where the schedules begin: before drivers are loaded, after, or where the scenario says (boot)", 0, 0,
     "boot loaded scenario"},
    {"--strategy", OPTION_TEXT, offsetof(struct explore, strategy_text), "STRATEGY",
     .help = "in-order, random, pct:DEPTH or search:BOUND (search:2)"},
    {"--points", OPTION_CHOICE, offsetof(struct explore, points), NULL,
     .help = "where the order may change: at calls and accesses to memory, or at calls alone (accesses)", 0, 0,
     "accesses calls"},
    {"--races", OPTION_CHOICE, offsetof(struct explore, races), NULL,
     .help = "data races to report: those that lose a change, every one, or none (harmful)", 0, 0, "harmful all none"},
    {"--benign", OPTION_TEXT, offsetof(struct explore, given.benign), "NAME,...",
     .help = "functions and variables whose races are meant (as DRIVER!NAME, NAME or DRIVER+0xOFFSET)"},
    {"--budget", OPTION_TEXT, offsetof(struct explore, budget), "TIME|N",
     .help = "real time, or number of schedules, after which to end (60s)"},
    {"--jobs", OPTION_NUMBER, offsetof(struct explore, jobs), "N", .help = "processes (one for each processor)", 1,
     1024},
    {"--shard", OPTION_TEXT, offsetof(struct explore, shard), "I/N",
     .help = "do the I-th of N parts of the work; together they are the whole"},
    {"--out", OPTION_TEXT, offsetof(struct explore, out), "DIR", .help = "where the records go (.)"},
    {0},
};

/* ---- What the user gave ------------------------------------------------------------------------------------------ */

static bool bad(const char *option, const char *text, const char *expected)
{
    fprintf(stderr, "irqlab: explore: %s: '%s' is not %s\n", option, text, expected);
    return false;
}

static bool read_shard(struct pool *p, const char *text)
{
    unsigned i, n;
    int end = 0;
    p->shards = 1;
    if (!text)
        return true;
    if (strspn(text, "0123456789/") != strlen(text) || sscanf(text, "%6u/%6u%n", &i, &n, &end) != 2 || text[end] ||
        !i || i > n)
        return bad("--shard", text, "a part such as 3/8");
    p->shard = i - 1;
    p->shards = n;
    return true;
}

/* Digits alone are a number of schedules; a search's are divided among the shards. */
static bool read_budget(struct pool *p, const char *text)
{
    uint64_t n;
    if (!text)
        text = "60s";
    if (options_number(text, &n) && n) {
        p->most = n;
        if (p->strategy.kind == STRATEGY_SEARCH) {
            p->most = n / p->shards + (p->shard < n % p->shards);
            if (!p->most)
                return bad("--budget", text, "a number of schedules that gives each shard one");
        }
        return true;
    }
    if (!options_time(text, &n) || !n)
        return bad("--budget", text, "a time such as 30s or 5m, or a number of schedules");
    p->time = n * 100;
    return true;
}

static unsigned processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static bool make_directory(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return input_directory(path);
    fprintf(stderr, "irqlab: %s: %s\n", path, strerror(errno));
    return false;
}

static int prepare(struct explore *x, const struct options *options, char **argv)
{
    struct pool *p = &x->pool;
    const char *strategy = x->strategy_text ? x->strategy_text : "search:2";
    if (!strategy_read(&p->strategy, strategy)) {
        bad("--strategy", strategy, "in-order, random, pct:DEPTH or search:BOUND");
        return COMMAND_USAGE;
    }
    if (!read_shard(p, x->shard) || !read_budget(p, x->budget))
        return COMMAND_USAGE;
    static const unsigned races[] = {DOOR_RACES_HARMFUL, DOOR_RACES_ALL, DOOR_RACES_NONE};
    x->given.points = x->points == 0;
    x->given.races = races[x->races];
    int status = given_read(&x->given, "explore", options->count, argv);
    if (status != COMMAND_CLEAN)
        return status;
    if (x->given.from == SESSION_SCENARIO && !x->given.scenario) {
        fputs("irqlab: explore: --snapshot scenario: there is no --scenario\n", stderr);
        return COMMAND_USAGE;
    }
    if (x->out && !make_directory(x->out))
        return COMMAND_USAGE;
    p->session = &x->given.session;
    p->machine = &x->given.machine;
    p->seed = x->given.seed;
    p->jobs = x->jobs ? (unsigned)x->jobs : processors();
    p->chance = p->strategy.kind == STRATEGY_PCT ? 0.99 : 0;
    return COMMAND_CLEAN;
}

/* ---- While it runs ----------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

/* A second one, a second later or more, is final. (timeout and batch systems tell the process and its group: that is one.) */
static void on_interrupt(int number)
{
    static uint64_t first;
    uint64_t now = job_clock();
    if (interrupted && now > first + 1000000000) {
        signal(number, SIG_DFL);
        raise(number);
    }
    if (!interrupted)
        first = now;
    interrupted = number;
}

static int is_interrupted(void)
{
    return interrupted;
}

static void progress(void *context, const struct pool *p, uint64_t ns)
{
    static uint64_t last;
    uint64_t runs = pool_runs_so_far(p);
    if (ns < last + 200000000)
        return;
    last = ns;
    fprintf(stderr, "\r%llu schedules, %llu a second", (unsigned long long)runs,
            (unsigned long long)(runs * 1000000000ull / (ns ? ns : 1)));
    if (p->strategy.kind == STRATEGY_SEARCH)
        fprintf(stderr, ", bound %u", pool_bound(p));
    fprintf(stderr, ", %u finding%s\033[K", p->found_count, p->found_count == 1 ? "" : "s");
}

static bool explore(struct explore *x)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    bool terminal = isatty(2);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    x->pool.interrupted = is_interrupted;
    x->pool.progress = terminal ? progress : NULL;
    x->given.session.out = fopen("/dev/null", "we"); /* what the scenario prints is shown with what was found */
    bool ok = x->given.session.out && pool_run(&x->pool);
    if (x->given.session.out)
        fclose(x->given.session.out);
    x->given.session.out = stdout;
    if (terminal)
        fputs("\r\033[K", stderr);
    return ok;
}

/* ---- What was found ---------------------------------------------------------------------------------------------- */

/* Is there a record of the same cause, of the same files, that an exploration comes by earlier? Shards write into one
 * directory, and the order in which they do must not matter. */
static bool has_earlier(const struct record *r, const char *path)
{
    struct record *old = calloc(1, sizeof *old);
    struct input in = {0};
    char why[256];
    bool earlier = old && access(path, F_OK) == 0 && input_read(path, "record", RECORD_BYTES, &in) &&
                   record_read(old, (const char *)in.bytes, in.size, why) && !strcmp(old->kernel, r->kernel) &&
                   old->drivers == r->drivers && old->time == r->time && old->cpus == r->cpus && old->from == r->from &&
                   !strcmp(old->scenario.hash, r->scenario.hash) && cause_same(&old->cause, &r->cause);
    for (unsigned i = 0; earlier && i < r->drivers; i++)
        earlier = !strcmp(old->driver[i].hash, r->driver[i].hash);
    earlier = earlier && record_before(old, r);
    free(in.bytes);
    if (old)
        record_free(old);
    free(old);
    return earlier;
}

static bool keep_record(struct explore *x, const struct record *r, const char *path)
{
    int lock = open(x->out ? x->out : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0)
        flock(lock, LOCK_EX);
    bool ok = has_earlier(r, path) || recorded_write(r, path);
    if (lock >= 0)
        close(lock);
    return ok;
}

/* Run it again on a machine of its own, with the report; a record of it when it was the same run. */
static int show(struct explore *x, const struct pool_found *f)
{
    struct record r;
    struct recorded_run run = {0};
    char name[96], path[RECORD_PATH];
    if (!recorded_make(&r, &x->given))
        return COMMAND_INTERNAL;
    r.number = f->number;
    r.strategy = f->strategy;
    r.every = 1;
    r.schedule_seed = f->strategy == DOOR_PLAN ? 0 : f->seed;
    r.depth = f->strategy == DOOR_PLAN ? 0 : f->depth;
    r.length = f->strategy == DOOR_PLAN ? 0 : f->length;
    r.pick = f->pick;
    r.picks = f->picks;
    r.cause = f->cause;
    cause_name(&f->cause, name, sizeof name);
    snprintf(path, sizeof path, "%s%s%s.irqlab", x->out ? x->out : "", x->out ? "/" : "", name);
    snprintf(run.again, sizeof run.again, "irqlab replay ");
    options_quote(run.again, sizeof run.again, path);
    int status = recorded_run(&r, &x->given, &run);
    if (!run.same || run.hash != f->hash) {
        fprintf(stderr, "irqlab: internal error: the run was not the same when it was repeated (%s)\n", name);
        x->differs = true;
        return COMMAND_INTERNAL;
    }
    memcpy(r.events, run.events, sizeof r.events);
    if (!keep_record(x, &r, path))
        return COMMAND_INTERNAL;
    printf("irqlab: record: %s\n\n", path);
    x->written++;
    return status;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void print_coverage(const struct pool *p)
{
    uint32_t bound = p->complete ? p->complete - 1 : 0;
    switch (p->strategy.kind) {
    case STRATEGY_SEARCH:
        if (p->shards > 1)
            printf("of part %u/%u ", p->shard + 1, p->shards);
        if (p->exhausted)
            printf("all schedules");
        else if (!p->complete)
            printf("none completely");
        else if (!bound)
            printf("the schedule without preemptions");
        else
            printf("all schedules with up to %u preemption%s", bound, plural(bound));
        if (p->last_runs)
            printf(", and %llu with %u", (unsigned long long)p->last_runs, bound + 1);
        break;
    case STRATEGY_PCT:
        printf("%.4g %% for depth %u (%u threads and callbacks, %u points)",
               100 * strategy_chance(p->strategy.depth, p->flows, p->points, p->runs), p->strategy.depth, p->flows,
               p->points);
        break;
    case STRATEGY_RANDOM:
        printf("a random sample (%u points)", p->points);
        break;
    case STRATEGY_IN_ORDER:
        printf(p->runs ? "the schedule without preemptions" : "none completely");
    }
    if (p->beyond)
        printf(", not counting points after the first %d of a run", DOOR_POINTS);
}

static void print_end(const struct explore *x)
{
    const struct pool *p = &x->pool;
    char name[32];
    strategy_name(&p->strategy, name, sizeof name);
    printf("irqlab: explored %llu schedule%s of ", (unsigned long long)p->runs, plural(p->runs));
    for (int i = 0; i < x->given.session.drivers; i++)
        printf("%s%s", i ? ", " : "", x->given.session.driver[i].name);
    printf(" on %llu processor%s (%s): ", (unsigned long long)x->given.cpus, plural(x->given.cpus), name);
    print_coverage(p);
    if (p->found_count)
        printf("; %u finding%s\n", p->found_count, plural(p->found_count));
    else
        printf("; no findings\n");
}

/* The machine does not get to where the schedules begin: the ordinary run says why. */
static int not_reached(struct explore *x)
{
    struct reported reported = {.given = &x->given, .again = "irqlab run, with the same options"};
    session_reset(&x->given.session);
    x->given.session.schedule = NULL;
    int status = reported_run(&reported);
    fprintf(stderr, "irqlab: explore: %s\n", x->pool.why);
    return status != COMMAND_CLEAN ? status : COMMAND_USAGE;
}

static int run_exploration(struct explore *x)
{
    struct pool *p = &x->pool;
    unsigned shown = 0;
    if (!explore(x))
        return not_reached(x);
    for (struct pool_found *f = p->found; f && shown < REPORTS; f = f->next, shown++)
        show(x, f);
    if (shown < p->found_count)
        printf("irqlab: and %u more findings, not shown\n", p->found_count - shown);
    if (interrupted)
        printf("irqlab: interrupted\n");
    print_end(x);
    if (p->internal || x->differs)
        return COMMAND_INTERNAL;
    return p->missing ? COMMAND_MISSING : p->found_count ? COMMAND_FINDINGS : COMMAND_CLEAN;
}

static void help(void)
{
    puts("usage: irqlab explore [OPTIONS] DRIVER.sys...\n\n"
         "Runs the drivers under many schedules, each from a snapshot of the machine: which processor, thread or\n"
         "timer goes on, decided at each call a driver makes. A report for each mistake found, and a record of it\n"
         "for irqlab replay and irqlab shrink.\n");
    options_help(table);
    puts("\nsearch:2 makes every run in which the order differs from the ordinary one in at most two places; pct:2 "
         "finds\n"
         "a mistake that takes two events in a certain order with a probability it states, up to 99 %.\n"
         "Exit status: 0 clean, 1 findings or a driver that did not start, 2 usage or bad input,\n"
         "3 the driver called something that does not exist here, 70 internal error.");
}

int command_explore(int argc, char **argv)
{
    struct explore *x = calloc(1, sizeof *x);
    struct options options = {.command = "explore", .table = table, .values = x};
    if (!x)
        return COMMAND_INTERNAL;
    given_default(&x->given);
    int status = COMMAND_USAGE;
    if (options_parse(&options, argc, argv)) {
        if (options.help) {
            help();
            free(x);
            return COMMAND_CLEAN;
        }
        status = prepare(x, &options, argv);
        if (status == COMMAND_CLEAN)
            status = run_exploration(x);
        pool_free(&x->pool);
    }
    given_free(&x->given);
    free(x);
    reported_reraise();
    return status;
}
