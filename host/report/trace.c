/* See trace.h. */
#include <stdlib.h>
#include <string.h>
#include "report/trace.h"
#include "report/words.h"

enum { GUID_TEXT = 37, SHOWN = 64 }; /* bytes of data in a line; json has all */

static void guid_text(char text[GUID_TEXT], const uint8_t *g)
{
    snprintf(text, GUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2], g[1],
             g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/* Data that are one UTF-16 string of printable ASCII, with its terminator: what EtwWriteString writes. */
static bool wide_text(const uint8_t *data, size_t bytes, char *text, size_t room)
{
    size_t n = bytes / 2;
    if (bytes % 2 || n < 2 || n > room || data[bytes - 1] || data[bytes - 2])
        return false;
    for (size_t i = 0; i < n; i++) {
        if (data[2 * i + 1] || (i + 1 < n && (data[2 * i] < ' ' || data[2 * i] > '~')))
            return false;
        text[i] = (char)data[2 * i];
    }
    return true;
}

static void hex(char *text, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    text[2 * bytes] = 0;
}

void trace_head(FILE *out, bool color, const struct door_event *event)
{
    char level[40];
    words_level_short(level, sizeof level, event->irql);
    int pad = (int)(sizeof "DISPATCH" - 1) - (int)strlen(level);
    fprintf(out, "%s[%5llu.%06u cpu%u %s]%s%*s ", color ? "\033[2m" : "", (unsigned long long)(event->time / 10000000),
            (unsigned)(event->time / 10 % 1000000), event->processor, level, color ? "\033[0m" : "", pad > 0 ? pad : 0,
            "");
}

static void line(FILE *out, const struct door_event_etw *e, const uint8_t *data)
{
    char provider[GUID_TEXT], text[SHOWN * 2 + 1];
    guid_text(provider, e->provider);
    fprintf(out, "%s {%s} id %u", e->kind == DOOR_ETW_MESSAGE ? "wpp" : "etw", provider, e->id);
    if (e->kind == DOOR_ETW_EVENT)
        fprintf(out, " version %u level %u opcode %u task %u keyword 0x%llx", e->version, e->level, e->opcode, e->task,
                (unsigned long long)e->keyword);
    if (wide_text(data, e->bytes, text, sizeof text)) {
        fprintf(out, " \"%s\"", text);
    } else if (e->bytes) {
        hex(text, data, e->bytes < SHOWN ? e->bytes : SHOWN);
        fprintf(out, " %s%s", text, e->bytes > SHOWN ? "..." : "");
    }
    fputc('\n', out);
}

void trace_show(struct json *json, FILE *out, bool color, const struct door_event *event, const void *payload,
                size_t bytes)
{
    const struct door_event_etw *e = payload;
    const uint8_t *data = (const uint8_t *)(e + 1);
    char text[GUID_TEXT];
    if (bytes < sizeof *e || e->bytes != bytes - sizeof *e)
        return;
    trace_head(out, color, event);
    line(out, e, data);
    char *digits = malloc(2 * (size_t)e->bytes + 1);
    if (!digits)
        return;
    hex(digits, data, e->bytes);
    json_begin(json, NULL, '{');
    json_string(json, "type", e->kind == DOOR_ETW_MESSAGE ? "wpp" : "etw");
    json_number(json, "time", event->time);
    json_number(json, "cpu", event->processor);
    json_number(json, "irql", event->irql);
    json_number(json, "thread", event->thread);
    guid_text(text, e->provider);
    json_string(json, "provider", text);
    json_number(json, "id", e->id);
    json_number(json, "version", e->version);
    json_number(json, "channel", e->channel);
    json_number(json, "level", e->level);
    json_number(json, "opcode", e->opcode);
    json_number(json, "task", e->task);
    json_hex(json, "keyword", e->keyword);
    guid_text(text, e->activity);
    json_string(json, "activity", text);
    guid_text(text, e->related);
    json_string(json, "related", text);
    json_string(json, "data", digits);
    json_end(json, '}');
    free(digits);
}
