/* See lines.h. */
#include <stdlib.h>
#include <string.h>
#include "report/lines.h"
#include "report/words.h"

enum { LINE_LIMIT = 1024 }; /* a longer one is shown in pieces */

struct line {
    struct door_event event; /* of its first part */
    size_t bytes;
    char text[LINE_LIMIT];
};

struct lines {
    FILE *out;
    bool color;
    struct json *json;
    struct line line[DOOR_PROCESSORS];
};

struct lines *lines_open(FILE *out, bool color, struct json *json)
{
    struct lines *l = calloc(1, sizeof *l);
    if (l) {
        l->out = out;
        l->color = color;
        l->json = json;
    }
    return l;
}

void lines_close(struct lines *l)
{
    if (!l)
        return;
    lines_flush(l);
    free(l);
}

static void show(struct lines *l, struct line *line)
{
    char level[40];
    const struct door_event *e = &line->event;
    words_level_short(level, sizeof level, e->irql);
    int pad = (int)(sizeof "DISPATCH" - 1) - (int)strlen(level);
    fprintf(l->out, "%s[%5llu.%06u cpu%u %s]%s%*s ", l->color ? "\033[2m" : "",
            (unsigned long long)(e->time / 10000000), (unsigned)(e->time / 10 % 1000000), e->processor, level,
            l->color ? "\033[0m" : "", pad > 0 ? pad : 0, "");
    words_safe(l->out, line->text, line->bytes);
    fputc('\n', l->out);
    json_begin(l->json, NULL, '{');
    json_string(l->json, "type", "print");
    json_number(l->json, "time", e->time);
    json_number(l->json, "cpu", e->processor);
    json_number(l->json, "irql", e->irql);
    json_number(l->json, "thread", e->thread);
    json_text(l->json, "text", line->text, line->bytes);
    json_end(l->json, '}');
    line->bytes = 0;
}

void lines_add(struct lines *l, const struct door_event *event, const char *text, size_t bytes)
{
    struct line *line = &l->line[event->processor % DOOR_PROCESSORS];
    if (line->bytes && (line->event.thread != event->thread || line->event.irql != event->irql))
        show(l, line);
    for (size_t i = 0; i < bytes; i++) {
        if (!line->bytes)
            line->event = *event;
        if (text[i] == '\n') {
            while (line->bytes && line->text[line->bytes - 1] == '\r')
                line->bytes--;
            show(l, line);
            continue;
        }
        if (line->bytes == LINE_LIMIT)
            show(l, line);
        line->text[line->bytes++] = text[i];
    }
}

void lines_flush(struct lines *l)
{
    for (unsigned i = 0; i < DOOR_PROCESSORS; i++)
        if (l->line[i].bytes)
            show(l, &l->line[i]);
}
