/* See strategy.h. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "explore/strategy.h"

/* ":N" behind a name, or nothing. */
static bool number(const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
    char *end;
    if (!*text)
        return true;
    if (*text != ':' || text[1] < '0' || text[1] > '9')
        return false;
    unsigned long n = strtoul(text + 1, &end, 10);
    if (*end || n < min || n > max)
        return false;
    *value = (uint32_t)n;
    return true;
}

bool strategy_read(struct strategy *s, const char *text)
{
    static const char *const names[] = {"in-order", "random", "pct", "search"};
    *s = (struct strategy){.depth = 2, .bound = STRATEGY_NO_BOUND};
    for (unsigned i = 0; i < 4; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(text, names[i], n))
            continue;
        s->kind = (enum strategy_kind)i;
        if (s->kind == STRATEGY_PCT)
            return number(text + n, 1, 16, &s->depth);
        if (s->kind == STRATEGY_SEARCH)
            return number(text + n, 0, 64, &s->bound);
        return !text[n];
    }
    return false;
}

void strategy_name(const struct strategy *s, char *text, unsigned room)
{
    static const char *const names[] = {"in-order", "random", "pct", "search"};
    if (s->kind == STRATEGY_PCT)
        snprintf(text, room, "pct:%u", s->depth);
    else if (s->kind == STRATEGY_SEARCH && s->bound != STRATEGY_NO_BOUND)
        snprintf(text, room, "search:%u", s->bound);
    else
        snprintf(text, room, "%s", names[s->kind]);
}

void strategy_begin(const struct strategy *s, struct door_schedule *schedule, uint64_t seed, uint32_t length)
{
    static const uint32_t kinds[] = {DOOR_IN_ORDER, DOOR_RANDOM, DOOR_PCT, DOOR_PLAN};
    memset(schedule, 0, offsetof(struct door_schedule, plan));
    schedule->strategy = kinds[s->kind];
    schedule->every = s->kind == STRATEGY_IN_ORDER ? 1000 : 1;
    schedule->seed = seed;
    schedule->depth = s->depth;
    schedule->length = length ? length : 1;
}

/* (The mixing steps are those of SplitMix64, public domain, by Sebastiano Vigna.) */
uint64_t strategy_seed(uint64_t seed, uint64_t index)
{
    uint64_t z = seed * 0x9e3779b97f4a7c15ull + (index + 1) * 0xd1342543de82ef95ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

double strategy_chance(uint32_t depth, uint32_t flows, uint32_t points, uint64_t runs)
{
    double one = 1 / ((flows ? flows : 1) * pow(points ? points : 1, depth - 1.0));
    return 1 - pow(1 - one, (double)runs);
}
