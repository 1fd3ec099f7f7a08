/* See options.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/near.h"
#include "cli/options.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit time_units[] = {{"us", 10},       {"ms", 10000},      {"s", 10000000}, {"", 10000000},
                                         {"m", 600000000}, {"h", 36000000000}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1},           {"K", 1ull << 10},   {"M", 1ull << 20},   {"G", 1ull << 30},
    {"k", 1ull << 10}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},
    {NULL, 0}};

bool options_number(const char *text, uint64_t *value)
{
    char *end;
    if (*text < '0' || *text > '9') /* strtoull takes blanks and signs */
        return false;
    errno = 0;
    *value = strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
    return !errno && !*end;
}

/* Digits, at most one point with up to nine digits behind it, then a unit. */
static bool scaled(const char *text, const struct unit *units, uint64_t *value)
{
    uint64_t whole = 0, part = 0, scale = 1;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
            return false;
    if (p == text)
        return false;
    if (*p == '.') {
        if (p[1] < '0' || p[1] > '9')
            return false;
        for (p++; *p >= '0' && *p <= '9'; p++)
            if (scale < 1000000000) {
                part = part * 10 + (uint64_t)(*p - '0');
                scale *= 10;
            }
    }
    for (; units->name; units++)
        if (!strcmp(p, units->name)) {
            unsigned __int128 total =
                (unsigned __int128)whole * units->factor + (unsigned __int128)part * units->factor / scale;
            *value = (uint64_t)total;
            return total <= INT64_MAX;
        }
    return false;
}

bool options_time(const char *text, uint64_t *value)
{
    return scaled(text, time_units, value);
}

bool options_size(const char *text, uint64_t *value)
{
    return scaled(text, size_units, value);
}

void options_quote(char *buffer, size_t room, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    size_t used = strlen(buffer);
    if (*text && text[strspn(text, plain)] == 0) {
        snprintf(buffer + used, room - used, "%s", text);
        return;
    }
    used += (size_t)snprintf(buffer + used, room - used, "'");
    for (; *text && used + 8 < room; text++) {
        const char *piece = *text == '\'' ? "'\\''" : (char[]){*text, 0};
        used += (size_t)snprintf(buffer + used, room - used, "%s", piece);
    }
    if (used < room)
        snprintf(buffer + used, room - used, "'");
}

static const char *expected(const struct option *row, char *text, size_t room)
{
    switch (row->kind) {
    case OPTION_NUMBER:
        if (row->max)
            snprintf(text, room, "a number from %llu to %llu", (unsigned long long)row->min,
                     (unsigned long long)row->max);
        else
            snprintf(text, room, "a number");
        break;
    case OPTION_TIME:
        snprintf(text, room, "a time such as 500ms, 10s, 2m or 1h");
        break;
    case OPTION_SIZE:
        if (row->max)
            snprintf(text, room, "a size from %lluM to %lluM, such as 256M", (unsigned long long)(row->min >> 20),
                     (unsigned long long)(row->max >> 20));
        else
            snprintf(text, room, "a size such as 256M");
        break;
    case OPTION_CHOICE:
        snprintf(text, room, "one of: %s", row->choices);
        break;
    default:
        snprintf(text, room, "%s", row->argument);
    }
    return text;
}

static bool choose(const char *choices, const char *text, unsigned *index)
{
    size_t bytes = strlen(text);
    for (*index = 0; *choices; (*index)++) {
        size_t n = strcspn(choices, " ");
        if (n == bytes && !memcmp(choices, text, n))
            return true;
        choices += n + strspn(choices + n, " ");
    }
    return false;
}

static bool store(const struct option *row, void *values, const char *text)
{
    void *at = (char *)values + row->offset;
    uint64_t value = 0;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return true;
    case OPTION_TEXT:
        *(const char **)at = text;
        return *text != 0;
    case OPTION_CHOICE:
        return choose(row->choices, text, at);
    case OPTION_LIST: {
        struct option_list *list = at;
        if (!*text || list->count == OPTION_LIST_MOST)
            return false;
        list->text[list->count++] = text;
        return true;
    }
    case OPTION_NUMBER:
        if (!options_number(text, &value))
            return false;
        break;
    case OPTION_TIME:
        if (!options_time(text, &value))
            return false;
        break;
    case OPTION_SIZE:
        if (!options_size(text, &value))
            return false;
        break;
    }
    if (row->max && (value < row->min || value > row->max))
        return false;
    *(uint64_t *)at = value;
    return true;
}

static void unknown(const struct options *o, const char *name, size_t bytes)
{
    struct near near = {0};
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)bytes, name);
    near_begin(&near, text);
    for (const struct option *row = o->table; row->name; row++)
        near_offer(&near, row->name);
    fprintf(stderr, "irqlab: %s: unknown option %s%s%s%s\n", o->command, text, near.count ? ": did you mean " : "",
            near.count ? near.best[0] : "", near.count ? "?" : "");
}

/* One option at argv[*i]; takes its argument too. */
static bool parse_one(struct options *o, int argc, char **argv, int *i)
{
    const char *text = argv[*i], *equals = strchr(text, '='), *value = NULL;
    size_t bytes = equals ? (size_t)(equals - text) : strlen(text);
    char hint[160];
    const struct option *row = o->table;
    while (row->name && (strlen(row->name) != bytes || memcmp(row->name, text, bytes)))
        row++;
    if (!row->name) {
        unknown(o, text, bytes);
        return false;
    }
    if (row->kind == OPTION_FLAG && equals) {
        fprintf(stderr, "irqlab: %s: %s takes no value\n", o->command, row->name);
        return false;
    }
    if (row->kind != OPTION_FLAG) {
        value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value) {
            fprintf(stderr, "irqlab: %s: %s needs a value: %s\n", o->command, row->name,
                    expected(row, hint, sizeof hint));
            return false;
        }
    }
    uint64_t bit = 1ull << (row - o->table) % 64;
    if (row->kind == OPTION_TEXT && (o->given & bit) &&
        strcmp(*(const char **)((char *)o->values + row->offset), value)) {
        fprintf(stderr, "irqlab: %s: %s is given twice\n", o->command, row->name);
        return false;
    }
    o->given |= bit;
    if (!store(row, o->values, value)) {
        fprintf(stderr, "irqlab: %s: %s: '%s' is not %s\n", o->command, row->name, value,
                expected(row, hint, sizeof hint));
        return false;
    }
    if (row->repeats) {
        size_t used = strlen(o->again);
        snprintf(o->again + used, sizeof o->again - used, " %s%s", row->name, value ? " " : "");
        if (value)
            options_quote(o->again, sizeof o->again, value);
    }
    return true;
}

bool options_parse(struct options *o, int argc, char **argv)
{
    bool ended = false;
    o->count = 0;
    for (int i = 0; i < argc; i++) {
        if (!ended && !strcmp(argv[i], "--")) {
            ended = true;
        } else if (!ended && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
            o->help = true;
        } else if (!ended && argv[i][0] == '-' && argv[i][1]) {
            if (!parse_one(o, argc, argv, &i))
                return false;
        } else
            argv[o->count++] = argv[i];
    }
    return true;
}

void options_help(const struct option *table)
{
    for (; table->name; table++) {
        char left[64];
        const char *argument = table->kind == OPTION_CHOICE ? table->choices : table->argument;
        size_t used = (size_t)snprintf(left, sizeof left, "%s%s", table->name, argument ? " " : "");
        for (const char *p = argument; p && *p && used + 1 < sizeof left; p++) {
            left[used++] = *p == ' ' ? '|' : *p;
            left[used] = 0;
        }
        printf("  %-26s %s\n", left, table->help);
    }
}
