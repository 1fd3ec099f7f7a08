/* See record.h. The table has a row for each line that is a plain fact; picks, files and the ends are by hand. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "explore/record.h"

enum kind { NUMBER, TEXT, HASH };

static const struct row {
    const char *name;
    enum kind kind;
    size_t offset, room;
    uint64_t max;
} rows[] = {
#define ROW_NUMBER(name, field, most)                                                                                  \
    {                                                                                                                  \
        name, NUMBER, offsetof(struct record, field), 0, most                                                          \
    }
#define ROW_TEXT(name, field)                                                                                          \
    {                                                                                                                  \
        name, TEXT, offsetof(struct record, field), sizeof((struct record *)0)->field, 0                               \
    }
#define ROW_HASH(name, field)                                                                                          \
    {                                                                                                                  \
        name, HASH, offsetof(struct record, field), DIGEST_HEX, 0                                                      \
    }
    ROW_TEXT("irqlab", irqlab),
    ROW_NUMBER("door", door, UINT32_MAX),
    ROW_HASH("kernel", kernel),
    ROW_TEXT("scenario", scenario.path),
    ROW_TEXT("scenario-is", scenario.hash),
    ROW_TEXT("disk", disk.path),
    ROW_TEXT("disk-is", disk.hash),
    ROW_TEXT("volume", volume),
    ROW_TEXT("devices", devices),
    ROW_TEXT("inf", infs),
    ROW_TEXT("os", os),
    ROW_TEXT("trace", trace),
    ROW_TEXT("registry", registry),
    ROW_NUMBER("cpus", cpus, DOOR_PROCESSORS),
    ROW_NUMBER("seed", seed, UINT64_MAX),
    ROW_NUMBER("ram", ram, 64ull << 30),
    ROW_NUMBER("for", time, INT64_MAX),
    ROW_NUMBER("watchdog", watchdog, 36000000000),
    ROW_NUMBER("on-finding", on_finding, 1),
    ROW_NUMBER("build", build, 1),
    ROW_NUMBER("special-pool", special_pool, 1),
    ROW_NUMBER("force-integrity", force_integrity, 1),
    ROW_NUMBER("points", points, 1),
    ROW_NUMBER("races", races, DOOR_RACES_ALL),
    ROW_TEXT("benign", benign),
    ROW_NUMBER("from", from, SESSION_SCENARIO),
    ROW_NUMBER("number", number, UINT64_MAX),
    ROW_NUMBER("strategy", strategy, DOOR_PCT),
    ROW_NUMBER("every", every, UINT32_MAX),
    ROW_NUMBER("schedule-seed", schedule_seed, UINT64_MAX),
    ROW_NUMBER("depth", depth, 16),
    ROW_NUMBER("length", length, UINT32_MAX),
    ROW_TEXT("rule", cause.rule),
    ROW_TEXT("subject", cause.subject),
    ROW_TEXT("place", cause.place),
    ROW_TEXT("text", cause.text),
    ROW_HASH("events", events),
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

static bool is_line(const char *text)
{
    for (; *text; text++)
        if (*text == '\n' || *text == '\r')
            return false;
    return true;
}

static bool write_rows(const struct record *r, FILE *out)
{
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        const void *at = (const char *)r + row->offset;
        if (row->kind == NUMBER)
            fprintf(out, "%s %llu\n", row->name, (unsigned long long)*(const uint64_t *)at);
        else if (!is_line(at))
            return false;
        else
            fprintf(out, "%s %s\n", row->name, (const char *)at);
    }
    return true;
}

bool record_write(const struct record *r, FILE *out)
{
    char *text = NULL, hex[DIGEST_HEX];
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    if (!memory)
        return false;
    fprintf(memory, "irqlab-record %d\n", RECORD_FORMAT);
    bool ok = write_rows(r, memory);
    fprintf(memory, "code %u\n", r->cause.code);
    for (unsigned i = 0; i < r->drivers; i++) {
        ok &= is_line(r->driver[i].path);
        fprintf(memory, "driver %s %s\n", r->driver[i].hash, r->driver[i].path);
    }
    for (uint32_t i = 0; i < r->picks; i++)
        fprintf(memory, "pick %u %u\n", r->pick[i].point, r->pick[i].pick);
    ok &= fclose(memory) == 0 && text;
    if (ok) {
        digest_of(text, bytes, hex);
        ok = fwrite(text, 1, bytes, out) == bytes && fprintf(out, "check %s\n", hex) > 0;
    }
    free(text);
    if (!ok)
        errno = EINVAL;
    return ok;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------ */

struct reader {
    const char *at, *end; /* end: of what the check covers */
    unsigned line;
    char *why;
};

static bool wrong(struct reader *in, const char *what)
{
    if (!*in->why)
        snprintf(in->why, 256, "line %u: %s", in->line, what);
    return false;
}

/* The next line, if it begins with `name` and a blank: what follows, to be freed. NULL: another line, or the end. */
static char *take_line(struct reader *in, const char *name)
{
    size_t n = strlen(name), room = (size_t)(in->end - in->at);
    if (room <= n || memcmp(in->at, name, n) || in->at[n] != ' ')
        return NULL;
    const char *text = in->at + n + 1, *stop = memchr(text, '\n', (size_t)(in->end - text));
    if (!stop || memchr(text, 0, (size_t)(stop - text)) || memchr(text, '\r', (size_t)(stop - text)))
        return NULL;
    in->at = stop + 1;
    in->line++;
    return strndup(text, (size_t)(stop - text));
}

static bool read_number(const char **text, uint64_t max, uint64_t *value)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *value = strtoull(*text, &end, 10);
    *text = end;
    return !errno && *value <= max;
}

static bool is_hash(const char *text)
{
    return strlen(text) == DIGEST_HEX - 1 && strspn(text, "0123456789abcdef") == DIGEST_HEX - 1;
}

static bool read_row(struct reader *in, struct record *r, const struct row *row)
{
    void *at = (char *)r + row->offset;
    char *line = take_line(in, row->name);
    const char *text = line;
    bool ok = line;
    if (!line)
        return snprintf(in->why, 256, "line %u: '%s' expected", in->line, row->name), false;
    if (row->kind == NUMBER)
        ok = read_number(&text, row->max, at) && !*text;
    else if (row->kind == HASH)
        ok = is_hash(line);
    else
        ok = strlen(line) < row->room;
    if (ok && row->kind != NUMBER)
        strcpy(at, line);
    free(line);
    return ok || wrong(in, "a value that cannot be");
}

static bool read_driver(struct reader *in, struct record *r, const char *line)
{
    struct record_file *f = &r->driver[r->drivers];
    if (r->drivers == SESSION_DRIVERS - 1 || strlen(line) < DIGEST_HEX + 1 || line[DIGEST_HEX - 1] != ' ' ||
        strlen(line + DIGEST_HEX) >= sizeof f->path)
        return wrong(in, "a driver that cannot be");
    memcpy(f->hash, line, DIGEST_HEX - 1);
    strcpy(f->path, line + DIGEST_HEX);
    r->drivers++;
    return is_hash(f->hash) || wrong(in, "a driver that cannot be");
}

static bool read_pick(struct reader *in, struct record *r, const char *line)
{
    uint64_t point, pick;
    bool ok = r->picks < DOOR_PLAN_PICKS && read_number(&line, UINT32_MAX, &point) && *line++ == ' ' &&
              read_number(&line, UINT16_MAX, &pick) && !*line && pick &&
              (!r->picks || r->pick[r->picks - 1].point < point);
    if (!ok)
        return wrong(in, "a pick that cannot be");
    r->pick[r->picks++] = (struct door_pick){.point = (uint32_t)point, .pick = (uint16_t)pick};
    return true;
}

static bool read_rest(struct reader *in, struct record *r)
{
    uint64_t code;
    char *line = take_line(in, "code");
    const char *text = line;
    bool ok = line && read_number(&text, UINT32_MAX, &code) && !*text;
    free(line);
    if (!ok)
        return wrong(in, "'code' expected");
    r->cause.code = (uint32_t)code;
    while (ok && (line = take_line(in, "driver"))) {
        ok = read_driver(in, r, line);
        free(line);
    }
    while (ok && (line = take_line(in, "pick"))) {
        ok = read_pick(in, r, line);
        free(line);
    }
    return ok && ((in->at == in->end && r->drivers) || wrong(in, "something that does not belong here"));
}

/* The last line, and that it is right. */
static bool check(struct reader *in, const char *text, size_t bytes)
{
    const size_t tail = strlen("check ") + DIGEST_HEX;
    char hex[DIGEST_HEX];
    if (bytes < tail || memcmp(text + bytes - tail, "check ", 6) || text[bytes - 1] != '\n')
        return snprintf(in->why, 256, "is truncated or damaged: its last line is missing"), false;
    digest_of(text, bytes - tail, hex);
    if (memcmp(hex, text + bytes - tail + 6, DIGEST_HEX - 1))
        return snprintf(in->why, 256, "is damaged: its check sum is wrong"), false;
    in->end = text + bytes - tail;
    return true;
}

bool record_read(struct record *r, const char *text, size_t bytes, char why[256])
{
    struct reader in = {.at = text, .end = text + bytes, .line = 1, .why = why};
    uint64_t format = 0;
    memset(r, 0, sizeof *r);
    *why = 0;
    char *line = take_line(&in, "irqlab-record");
    const char *number = line;
    bool ok = line && read_number(&number, UINT32_MAX, &format) && !*number;
    free(line);
    if (!ok)
        return snprintf(why, 256, "is not a record of irqlab"), false;
    if (format != RECORD_FORMAT)
        return snprintf(why, 256, "was written by another version of irqlab (record format %llu, this one reads %d)",
                        (unsigned long long)format, RECORD_FORMAT),
               false;
    if (!check(&in, text, bytes))
        return false;
    r->pick = calloc(DOOR_PLAN_PICKS, sizeof *r->pick);
    if (!r->pick)
        return snprintf(why, 256, "out of memory"), false;
    for (const struct row *row = rows; row < rows + ROWS; row++)
        if (!read_row(&in, r, row))
            return false;
    if (!r->cpus || !r->every || r->ram < 32ull << 20 || (r->strategy == DOOR_PCT && !r->depth))
        return wrong(&in, "a machine that cannot be");
    return read_rest(&in, r);
}

bool record_before(const struct record *a, const struct record *b)
{
    if (a->number != b->number || a->picks != b->picks)
        return a->number != b->number ? a->number < b->number : a->picks < b->picks;
    for (uint32_t i = 0; i < a->picks; i++) {
        if (a->pick[i].point != b->pick[i].point)
            return a->pick[i].point < b->pick[i].point;
        if (a->pick[i].pick != b->pick[i].pick)
            return a->pick[i].pick < b->pick[i].pick;
    }
    return false;
}

void record_free(struct record *r)
{
    free(r->pick);
    r->pick = NULL;
}

void record_schedule(const struct record *r, struct door_schedule *schedule)
{
    memset(schedule, 0, offsetof(struct door_schedule, plan));
    schedule->strategy = (uint32_t)r->strategy;
    schedule->every = (uint32_t)r->every;
    schedule->seed = r->schedule_seed;
    schedule->depth = (uint32_t)r->depth;
    schedule->length = (uint32_t)r->length;
    schedule->plan_picks = r->picks;
    memcpy(schedule->plan, r->pick, r->picks * sizeof *r->pick);
}
