/* See cause.h. */
#include <stdio.h>
#include <string.h>
#include "base/digest.h"
#include "explore/cause.h"

bool cause_same(const struct cause *a, const struct cause *b)
{
    return !strcmp(a->rule, b->rule) && !strcmp(a->subject, b->subject) && a->code == b->code &&
           !strcmp(a->place, b->place) && (*a->place || !strcmp(a->text, b->text));
}

void cause_name(const struct cause *c, char *name, unsigned room)
{
    char all[512], hex[DIGEST_HEX], rule[sizeof c->rule];
    snprintf(all, sizeof all, "%s\n%s\n%X\n%s\n%s", c->rule, c->subject, c->code, c->place, *c->place ? "" : c->text);
    digest_of(all, strlen(all), hex);
    snprintf(rule, sizeof rule, "%s", *c->rule ? c->rule : "finding");
    for (char *p = rule; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-", *p))
            *p = '_';
    snprintf(name, room, "%s-%.8s", rule, hex);
}

void cause_begin(struct cause_watch *w)
{
    memset(w, 0, sizeof *w);
    w->hash = 0x9e3779b97f4a7c15ull;
}

void cause_mark(struct cause_watch *w)
{
    w->images_then = w->images;
    w->hash_then = w->hash;
}

void cause_back(struct cause_watch *w)
{
    w->images = w->images_then;
    w->hash = w->hash_then;
    w->causes = 0;
    w->missing = w->internal = false;
}

/* Fast and good enough to see that two runs are not the same; records carry a SHA-256. */
static void hash(uint64_t *h, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (; count; at += 8) {
        uint64_t word = 0;
        size_t part = count < 8 ? count : 8;
        memcpy(&word, at, part);
        count -= part;
        *h = (*h ^ word) * 0x9fb21c651e98df25ull;
        *h ^= *h >> 32;
    }
}

static void put_place(const struct cause_watch *w, const struct door_finding *f, struct cause *c)
{
    uint32_t frames = f->notes ? f->note[0].frames : 0;
    for (uint32_t i = 0; i < frames && i < DOOR_FRAMES; i++)
        for (unsigned k = w->images; k-- > 0;) {
            uint64_t offset = f->note[0].frame[i] - w->image[k].base;
            if (offset < w->image[k].bytes) {
                snprintf(c->place, sizeof c->place, "%s+0x%x", w->image[k].name, (unsigned)offset);
                return;
            }
        }
}

static void add(struct cause_watch *w, const struct cause *c)
{
    for (unsigned i = 0; i < w->causes; i++)
        if (cause_same(&w->cause[i], c))
            return;
    if (w->causes < CAUSES)
        w->cause[w->causes++] = *c;
}

/* Texts go into records, a line each. */
static void put_text(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from);
    for (; *to; to++)
        if ((unsigned char)*to < 0x20 || *to == 0x7f)
            *to = '?';
}

static void on_finding(struct cause_watch *w, const struct door_event *event, const struct door_finding *f)
{
    struct cause c = {.code = f->code};
    if (event->type == DOOR_EVENT_STOP) {
        for (unsigned i = 0; i < w->causes; i++)
            if (w->cause[i].code == f->code)
                return; /* the end of what was found before */
    }
    put_text(c.rule, sizeof c.rule, *f->rule ? f->rule : "machine.stopped");
    put_text(c.subject, sizeof c.subject, f->subject);
    put_text(c.text, sizeof c.text, f->text);
    put_place(w, f, &c);
    add(w, &c);
}

static void on_image(struct cause_watch *w, const struct door_event_image *image)
{
    if (image->driver != 1 || w->images == sizeof w->image / sizeof *w->image)
        return;
    w->image[w->images].base = image->base;
    w->image[w->images].bytes = image->bytes;
    put_text(w->image[w->images].name, sizeof w->image[0].name, image->name);
    w->images++;
}

void cause_event(struct cause_watch *w, const struct door_event *event, const void *payload)
{
    hash(&w->hash, event, sizeof *event);
    hash(&w->hash, payload, event->payload);
    if (event->type == DOOR_EVENT_FINDING || event->type == DOOR_EVENT_STOP)
        on_finding(w, event, payload);
    else if (event->type == DOOR_EVENT_IMAGE)
        on_image(w, payload);
    else if (event->type == DOOR_EVENT_MISSING)
        w->missing = true;
}

void cause_add(struct cause_watch *w, const char *rule, const char *subject, const char *text)
{
    struct cause c = {0};
    put_text(c.rule, sizeof c.rule, rule);
    put_text(c.subject, sizeof c.subject, subject);
    put_text(c.text, sizeof c.text, text);
    add(w, &c);
}

void cause_of_end(struct cause_watch *w, const struct supervisor_end *end)
{
    if (end->outcome == SUPERVISOR_CRASHED)
        cause_add(w, "machine.destroyed", "", end->detail);
    if (end->outcome == SUPERVISOR_INTERNAL) {
        cause_add(w, "internal", "", end->detail);
        w->internal = true;
    }
}
