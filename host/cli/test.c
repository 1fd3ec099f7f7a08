/*
 * irqlab test: scenarios and in-machine tests, each in a machine and a process of its own: the command `irqlab run` with
 * the options of this one. See docs/testing.md.
 *
 * What failed is noted in .irqlab/last-failed of the working directory, for --last-failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/command.h"
#include "cli/input.h"
#include "cli/options.h"
#include "test/collect.h"
#include "test/execute.h"
#include "test/junit.h"

#define STATE_FOLDER ".irqlab"
#define STATE_FILE STATE_FOLDER "/last-failed"

struct testing {
    const char *filter, *junit, *folder, *schedule;
    uint64_t jobs, repeat, limit, cpus, seed;
    unsigned on_finding;
    bool list, last_failed, seed_given;

    struct collection tests;
    FILE *junit_file;
    bool terminal;
    size_t done, failed, running;
};

static const struct option table[] = {
    {"--list", OPTION_FLAG, offsetof(struct testing, list), NULL, .help = "name the tests and run none"},
    {"--filter", OPTION_TEXT, offsetof(struct testing, filter), "PATTERN",
     .help = "only those whose name has this in it (* and ? as in a shell)"},
    {"--last-failed", OPTION_FLAG, offsetof(struct testing, last_failed), NULL,
     .help = "only those that failed the last time (" STATE_FILE ")"},
    {"--jobs", OPTION_NUMBER, offsetof(struct testing, jobs), "N", .help = "tests at a time (as many as processors)", 1,
     256},
    {"--repeat", OPTION_NUMBER, offsetof(struct testing, repeat), "N", .help = "each N times, with seeds one apart (1)",
     1, 100000},
    {"--junit", OPTION_TEXT, offsetof(struct testing, junit), "FILE", .help = "write the results there as JUnit XML"},
    {"--drivers", OPTION_TEXT, offsetof(struct testing, folder), "DIR",
     .help = "where scenarios' drivers lie (their own folder is looked into first)"},
    {"--cpus", OPTION_NUMBER, offsetof(struct testing, cpus), "N",
     .help = "processors of the machines (1, or what a scenario says)", 1, 64},
    {"--seed", OPTION_NUMBER, offsetof(struct testing, seed), "N",
     .help = "the source of everything random (0, or what a scenario says)"},
    {"--schedule", OPTION_TEXT, offsetof(struct testing, schedule), "STRATEGY",
     .help = "as irqlab run has it: in-order, random or pct:DEPTH"},
    {"--on-finding", OPTION_CHOICE, offsetof(struct testing, on_finding), NULL,
     .help = "stop at the first finding, or report it and go on", 0, 0, "stop continue"},
    {"--timeout", OPTION_TIME, offsetof(struct testing, limit), "TIME", .help = "of the host, for one test (60s)",
     10000, 864000000000},
    {0},
};

/* ---- The command of a test ------------------------------------------------------------------------------------------- */

struct words {
    char **word;
    size_t count;
};

static void __attribute__((format(printf, 2, 3))) add(struct words *w, const char *format, ...)
{
    char **more = realloc(w->word, (w->count + 2) * sizeof *more);
    va_list arguments;
    if (!more)
        abort();
    w->word = more;
    va_start(arguments, format);
    if (vasprintf(&w->word[w->count++], format, arguments) < 0)
        abort();
    va_end(arguments);
    w->word[w->count] = NULL;
}

static char **make_command(void *context, struct test *test)
{
    const struct testing *t = context;
    struct words w = {0};
    add(&w, "irqlab");
    add(&w, "run");
    add(&w, "--no-color");
    if (t->cpus)
        add(&w, "--cpus=%llu", (unsigned long long)t->cpus);
    if (t->seed_given || test->seed)
        add(&w, "--seed=%llu", (unsigned long long)((t->seed_given ? t->seed : 0) + test->seed));
    if (t->schedule)
        add(&w, "--schedule=%s", t->schedule);
    if (t->on_finding)
        add(&w, "--on-finding=continue");
    if (t->folder)
        add(&w, "--drivers=%s", t->folder);
    if (test->routine)
        add(&w, "--test=%s", test->routine);
    else
        add(&w, "--scenario=%s", test->path);
    add(&w, "--");
    for (size_t i = 0; i < t->tests.drivers; i++)
        add(&w, "%s", t->tests.driver[i]);
    if (test->routine)
        add(&w, "%s", test->path);
    return w.word;
}

/* ---- What the user sees ------------------------------------------------------------------------------------------------ */

static void show_name(FILE *out, const struct test *test)
{
    fputs(test->name, out);
    if (test->seed)
        fprintf(out, " (#%u)", test->seed + 1);
}

static void progress(const struct testing *t, const struct test *test)
{
    if (!t->terminal)
        return;
    printf("\r\033[K[%zu/%zu]%s", t->done, t->tests.tests, t->failed ? "" : " ");
    if (t->failed)
        printf(" %zu failed: ", t->failed);
    printf("%.60s", test->name);
    fflush(stdout);
}

static void on_began(void *context, const struct test *test)
{
    struct testing *t = context;
    progress(t, test);
}

static void on_ended(void *context, const struct test *test)
{
    struct testing *t = context;
    const char *verdict = test_verdict(test);
    t->done++;
    t->failed += verdict != NULL;
    if (t->terminal && !verdict) {
        progress(t, test);
        return;
    }
    if (t->terminal)
        fputs("\r\033[K", stdout);
    fputs(verdict ? "FAILED " : "ok ", stdout);
    show_name(stdout, test);
    printf("%s%s (%.2f s)\n", verdict ? ": " : "", verdict ? verdict : "", test->seconds);
    fflush(stdout);
}

/* The last lines of what a failed test said. */
static void repeat_failure(const struct test *test)
{
    enum { LINES = 100 };
    const char *text = test->output ? test->output : "", *at = text + test->output_bytes;
    int lines = 0;
    while (at > text && lines <= LINES)
        lines += *--at == '\n';
    if (at > text)
        at++;
    printf("\n--- ");
    show_name(stdout, test);
    printf(": %s ---\n%s", test_verdict(test), at > text ? "...\n" : "");
    fwrite(at, 1, (size_t)(text + test->output_bytes - at), stdout);
    if (test->output_bytes && text[test->output_bytes - 1] != '\n')
        putchar('\n');
}

/* ---- What failed the last time --------------------------------------------------------------------------------------- */

static bool matches(const struct testing *t, const char *name)
{
    char pattern[1024];
    if (!t->filter)
        return true;
    snprintf(pattern, sizeof pattern, "*%s*", t->filter);
    return !fnmatch(pattern, name, 0);
}

static char *read_state(void)
{
    FILE *file = fopen(STATE_FILE, "re");
    char *text = NULL;
    size_t room = 0;
    if (!file)
        return NULL;
    if (getdelim(&text, &room, 0, file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    return text;
}

static bool noted(const char *state, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *at = state; at && (at = strstr(at, name)); at += bytes)
        if ((at == state || at[-1] == '\n') && at[bytes] == '\n')
            return true;
    return false;
}

static bool failed_here(const struct testing *t, const char *name, bool *ran)
{
    bool failed = false;
    *ran = false;
    for (size_t i = 0; i < t->tests.tests; i++)
        if (!strcmp(t->tests.test[i].name, name) && t->tests.test[i].ran) {
            *ran = true;
            failed |= test_verdict(&t->tests.test[i]) != NULL;
        }
    return failed;
}

/* What failed now, and what failed earlier and has not been run now. */
static void write_state(const struct testing *t, const char *before)
{
    bool folder = !mkdir(STATE_FOLDER, 0777) || errno == EEXIST, ran;
    FILE *file = folder ? fopen(STATE_FILE ".new", "we") : NULL;
    if (!file) {
        fprintf(stderr, "irqlab: test: %s: %s: --last-failed will not know\n", STATE_FILE, strerror(errno));
        return;
    }
    for (const char *line = before; line && *line;) {
        size_t bytes = strcspn(line, "\n");
        char *name = strndup(line, bytes);
        failed_here(t, name, &ran);
        if (bytes && !ran)
            fprintf(file, "%s\n", name);
        free(name);
        line += bytes + (line[bytes] == '\n');
    }
    for (size_t i = 0; i < t->tests.tests; i++)
        if (!t->tests.test[i].seed && failed_here(t, t->tests.test[i].name, &ran))
            fprintf(file, "%s\n", t->tests.test[i].name);
    if (fclose(file) || rename(STATE_FILE ".new", STATE_FILE))
        fprintf(stderr, "irqlab: test: %s: %s\n", STATE_FILE, strerror(errno));
}

/* ---- The command ------------------------------------------------------------------------------------------------------ */

static void choose(struct testing *t, const char *state)
{
    struct collection *c = &t->tests;
    size_t kept = 0;
    bool last = t->last_failed && state && *state;
    if (t->last_failed && !last)
        fputs("irqlab: test: none is noted as failed (" STATE_FILE "); all are run\n", stderr);
    for (size_t i = 0; i < c->tests; i++) {
        struct test test = c->test[i];
        if (matches(t, test.name) && (!last || noted(state, test.name)))
            c->test[kept++] = test;
        else {
            free(test.name);
            free(test.path);
            free(test.routine);
        }
    }
    c->tests = kept;
}

static int worst(const struct testing *t)
{
    static const int order[] = {COMMAND_CLEAN, COMMAND_USAGE, COMMAND_MISSING, COMMAND_FINDINGS, COMMAND_INTERNAL};
    int rank = 0;
    for (size_t i = 0; i < t->tests.tests; i++) {
        const struct test *test = &t->tests.test[i];
        int status = !test->ran ? 0 : test->timed_out || test->status < 0 ? COMMAND_FINDINGS : test->status;
        for (int k = 0; k < 5; k++)
            if (order[k] == status && k > rank)
                rank = k;
    }
    return order[rank];
}

static int run_all(struct testing *t, const char *state)
{
    struct execution e = {.jobs = (unsigned)t->jobs,
                          .limit = (double)t->limit / 1e7,
                          .command = make_command,
                          .began = on_began,
                          .ended = on_ended,
                          .context = t};
    t->terminal = isatty(1);
    bool whole = execute(&e, t->tests.test, t->tests.tests);
    if (t->terminal)
        fputs("\r\033[K", stdout);
    for (size_t i = 0; i < t->tests.tests; i++)
        if (t->tests.test[i].ran && test_verdict(&t->tests.test[i]))
            repeat_failure(&t->tests.test[i]);
    printf("%s%zu passed, %zu failed%s\n", t->failed ? "\n" : "", t->done - t->failed, t->failed,
           whole ? "" : ", interrupted");
    write_state(t, state);
    int status = worst(t);
    if (t->junit_file) {
        junit_write(t->junit_file, t->tests.test, t->tests.tests);
        if (ferror(t->junit_file) | fclose(t->junit_file)) {
            fprintf(stderr, "irqlab: test: %s: could not be written: %s\n", t->junit, strerror(errno));
            status = COMMAND_INTERNAL;
        }
    }
    return whole || status ? status : COMMAND_FINDINGS;
}

static int run_parsed(struct testing *t, int count, char **paths)
{
    if (!count) {
        fputs("irqlab: test: which tests? (irqlab test [OPTIONS] PATH...)\n", stderr);
        return COMMAND_USAGE;
    }
    if ((t->folder && !input_directory(t->folder)) || !collect(&t->tests, count, paths))
        return COMMAND_USAGE;
    char *state = read_state();
    choose(t, state);
    if (t->list)
        for (size_t i = 0; i < t->tests.tests; i++)
            puts(t->tests.test[i].name);
    int status = t->list ? COMMAND_CLEAN : COMMAND_USAGE;
    if (!t->tests.tests) {
        if (t->last_failed && state && *state)
            fputs("irqlab: test: none of these failed the last time (" STATE_FILE ")\n", stderr);
        else
            fprintf(stderr, "irqlab: test: no test%s%s%s\n", t->filter ? " has '" : "", t->filter ? t->filter : "",
                    t->filter ? "' in its name" : " there");
        status = COMMAND_USAGE;
    } else if (!t->list && collect_repeat(&t->tests, (unsigned)t->repeat) &&
               (!t->junit || (t->junit_file = input_create(t->junit))))
        status = run_all(t, state);
    free(state);
    return status;
}

static void help(void)
{
    puts(
        "usage: irqlab test [OPTIONS] PATH...\n\n"
        "Runs scenarios (*.lua) and in-machine tests (exported routines named Test* of drivers), each in a machine of\n"
        "its own, and repeats at the end what failed. A folder stands for all that is in it. A driver that exports no\n"
        "test is loaded before each in-machine test, and scenarios may name it.\n");
    options_help(table);
    puts("\nExit status: 0 all passed, 1 some failed, 2 usage or bad input, 3 something does not exist here,\n"
         "70 internal error.");
}

int command_test(int argc, char **argv)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct testing t = {
        .jobs = processors > 0 ? (uint64_t)processors : 1, .repeat = 1, .limit = 600000000, .seed = UINT64_MAX};
    struct options options = {.command = "test", .table = table, .values = &t};
    if (!options_parse(&options, argc, argv))
        return COMMAND_USAGE;
    if (options.help) {
        help();
        return COMMAND_CLEAN;
    }
    t.seed_given = t.seed != UINT64_MAX;
    int status = run_parsed(&t, options.count, argv);
    collect_free(&t.tests);
    return status;
}
