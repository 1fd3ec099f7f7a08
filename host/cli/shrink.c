/*
 * irqlab shrink: the same finding with fewer preemptions and less virtual time.
 *
 * Picks are left out in halves, quarters and so on as long as the cause stays the same (delta debugging: Zeller and
 * Hildebrandt, 2002), then the time is shortened the same way. Each attempt is a run from the snapshot; after one that
 * succeeds the plan is what was really picked in it.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/command.h"
#include "cli/recorded.h"
#include "explore/explorer.h"

enum { RUNS = 3000 }; /* of a search for a plan with fewer picks */

struct shrink {
    struct given given;
    const char *out;

    struct record r;
    struct explorer *e;
    struct door_pick *pick;
    uint32_t picks;
    unsigned long runs;
};

static const struct option table[] = {
    {"--out", OPTION_TEXT, offsetof(struct shrink, out), "FILE", .help = "the new record (RECORD itself is replaced)"},
    {"--symbols", OPTION_TEXT, offsetof(struct shrink, given.symbols), "DIR",
     .help = "where symbols are looked for first"},
    {"--full-stacks", OPTION_FLAG, offsetof(struct shrink, given.full_stacks), NULL,
     .help = "show the kernel's frames too"},
    {"--no-color", OPTION_FLAG, offsetof(struct shrink, given.no_color), NULL,
     .help = "no colours (also: NO_COLOR, or no terminal)"},
    {0},
};

static bool has_cause(const struct shrink *s)
{
    for (unsigned i = 0; i < s->e->watch.causes; i++)
        if (cause_same(&s->e->watch.cause[i], &s->r.cause))
            return true;
    return false;
}

/* Does the plan end the same way? A pick that was not possible any more is no error here. */
static bool attempt(struct shrink *s, const struct door_pick *pick, uint32_t picks)
{
    explorer_plan(s->e, pick, picks);
    s->runs++;
    return explorer_run(s->e) && has_cause(s) && s->e->met.made_picks < DOOR_MADE_PICKS;
}

static void adopt(struct shrink *s)
{
    s->picks = s->e->met.made_picks;
    memcpy(s->pick, s->e->met.made, s->picks * sizeof *s->pick);
}

/* Without picks [from, from + count). */
static bool attempt_without(struct shrink *s, uint32_t from, uint32_t count)
{
    struct door_pick *rest = calloc(s->picks, sizeof *rest);
    if (!rest)
        return false;
    memcpy(rest, s->pick, from * sizeof *rest);
    memcpy(rest + from, s->pick + from + count, (s->picks - from - count) * sizeof *rest);
    bool ok = attempt(s, rest, s->picks - count);
    free(rest);
    if (ok)
        adopt(s);
    return ok;
}

static void shrink_picks(struct shrink *s)
{
    for (uint32_t part = s->picks; part;) {
        bool less = false;
        for (uint32_t from = 0; from < s->picks;) {
            uint32_t count = part < s->picks - from ? part : s->picks - from;
            if (attempt_without(s, from, count))
                less = true; /* what follows has moved here */
            else
                from += count;
        }
        if (!less || part > s->picks)
            part = part > 1 ? (part < s->picks ? part : s->picks + 1) / 2 : less ? 1 : 0;
        if (!s->picks)
            break;
    }
}

/* Leaving out does not find the plan that is shorter in another way: try all of fewer picks, as far as RUNS go. */
static bool search_fewer(struct shrink *s, struct door_pick *plan, uint32_t picks, uint32_t more, unsigned long last)
{
    if (attempt(s, plan, picks)) {
        adopt(s);
        return true;
    }
    if (!more || *s->e->why)
        return false;
    uint32_t points = s->e->met.points < DOOR_POINTS ? s->e->met.points : DOOR_POINTS;
    uint8_t *possible = malloc(points + 1);
    bool found = false;
    if (possible)
        memcpy(possible, s->e->met.possible, points);
    for (uint32_t p = picks ? plan[picks - 1].point + 1 : 0; possible && p < points && !found; p++)
        for (uint16_t k = 1; k < possible[p] && !found && s->runs < last; k++) {
            plan[picks] = (struct door_pick){p, k, 0};
            found = search_fewer(s, plan, picks + 1, more - 1, last);
        }
    free(possible);
    return found;
}

static void shrink_by_search(struct shrink *s)
{
    struct door_pick plan[8];
    bool found = false;
    for (uint32_t picks = 0; picks < s->picks && picks <= 2 && !found; picks++)
        found = search_fewer(s, plan, 0, picks, s->runs + RUNS);
}

static void shrink_time(struct shrink *s)
{
    uint64_t most = s->given.session.time, least = 0; /* most is enough, below least it is not */
    if (s->given.session.script)
        return;
    while (least < most) {
        uint64_t time = least + (most - least) / 2;
        s->given.session.time = time;
        if (attempt(s, s->pick, s->picks))
            most = time;
        else
            least = time + 1;
        if (most - least < most / 64)
            break;
    }
    s->given.session.time = most;
}

static bool shrink_plan(struct shrink *s, const char *path)
{
    record_schedule(&s->r, &s->e->begin);
    if (!explorer_run(s->e) || !has_cause(s)) {
        fprintf(stderr, "irqlab: internal error in irqlab " IRQLAB_VERSION ": the run of %s was not repeated%s%s\n",
                path, *s->e->why ? ": " : "", s->e->why);
        return false;
    }
    if (s->e->met.made_picks < DOOR_MADE_PICKS) {
        adopt(s);
        shrink_picks(s);
        shrink_by_search(s);
        shrink_time(s);
    }
    return true;
}

static int finish(struct shrink *s, const char *path)
{
    struct recorded_run run = {0};
    struct record smaller = s->r;
    const char *out = s->out ? s->out : path;
    uint32_t picks = s->r.strategy == DOOR_PLAN ? s->r.picks : s->e->met.made_picks;
    smaller.pick = s->pick;
    smaller.picks = s->picks;
    smaller.time = s->given.session.time;
    smaller.number = 0;
    smaller.strategy = DOOR_PLAN;
    smaller.schedule_seed = smaller.depth = smaller.length = 0;
    snprintf(run.again, sizeof run.again, "irqlab replay ");
    options_quote(run.again, sizeof run.again, out);
    int status = recorded_run(&smaller, &s->given, &run);
    if (!run.same) {
        fprintf(stderr, "irqlab: internal error in irqlab " IRQLAB_VERSION ": the smaller run was not repeated\n");
        return COMMAND_INTERNAL;
    }
    memcpy(smaller.events, run.events, sizeof smaller.events);
    if (!recorded_write(&smaller, out))
        return COMMAND_INTERNAL;
    printf("irqlab: shrunk: %u pick%s of %u, %llu.%07llu s of %llu.%07llu s, in %lu runs\nirqlab: record: %s\n",
           s->picks, s->picks == 1 ? "" : "s", picks, (unsigned long long)(smaller.time / 10000000),
           (unsigned long long)(smaller.time % 10000000), (unsigned long long)(s->r.time / 10000000),
           (unsigned long long)(s->r.time % 10000000), s->runs, out);
    return status;
}

static int shrink(struct shrink *s, int count, char **argv)
{
    int status = recorded_given(&s->r, &s->given, argv[0], "shrink", count - 1, argv + 1);
    if (status != COMMAND_CLEAN)
        return status;
    s->given.session.out = fopen("/dev/null", "we");
    s->pick = calloc(DOOR_MADE_PICKS, sizeof *s->pick);
    s->e = explorer_new(&s->given.session, &s->given.machine);
    bool ok = s->given.session.out && s->pick && s->e && shrink_plan(s, argv[0]);
    if (s->given.session.out)
        fclose(s->given.session.out);
    s->given.session.out = stdout;
    struct supervisor_end end;
    session_finish(&s->given.session, &end);
    status = ok ? finish(s, argv[0]) : COMMAND_INTERNAL;
    explorer_free(s->e);
    free(s->pick);
    return status;
}

static void help(void)
{
    puts("usage: irqlab shrink [OPTIONS] RECORD [DRIVER.sys...]\n\n"
         "Makes a record's run smaller: fewer preemptions, less virtual time, the same finding.\n");
    options_help(table);
}

int command_shrink(int argc, char **argv)
{
    struct shrink *s = calloc(1, sizeof *s);
    struct options options = {.command = "shrink", .table = table, .values = s};
    if (!s)
        return COMMAND_INTERNAL;
    given_default(&s->given);
    int status = COMMAND_USAGE;
    if (options_parse(&options, argc, argv)) {
        if (options.help) {
            help();
            status = COMMAND_CLEAN;
        } else if (!options.count) {
            fputs("irqlab: shrink: which record? (irqlab shrink [OPTIONS] RECORD [DRIVER.sys...])\n", stderr);
        } else {
            status = shrink(s, options.count, argv);
        }
    }
    given_free(&s->given);
    record_free(&s->r);
    free(s);
    reported_reraise();
    return status;
}
