#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void sink(void *context, const struct door_event *event, const void *payload)
{
    struct harness *h = context;
    size_t used = strlen(h->said);

    h->events++;
    if (event->type == DOOR_EVENT_FINDING || event->type == DOOR_EVENT_STOP)
        h->findings++;
    if (event->type == DOOR_EVENT_NOTE || event->type == DOOR_EVENT_PRINT) {
        snprintf(h->said + used, sizeof(h->said) - used, "%.*s\n", (int)event->payload, (const char *)payload);
        if (getenv("HARNESS_VERBOSE"))
            fprintf(stderr, "  said: %.*s\n", (int)event->payload, (const char *)payload);
    }
}

void harness_prepare(struct harness *h, const char *kernel)
{
    static char dir[4096];

    memset(h, 0, sizeof(*h));
    snprintf(dir, sizeof(dir), "build/tests/machine/%s", kernel);
    h->options = (struct supervisor_options){
        .processors = 1,
        .ram_bytes = 256ull << 20,
        .special_pool = true,
        .stop_on_finding = true,
        .os_major = 10,
        .os_build = 19045,
        .kernel_dir = dir,
    };
}

bool harness_start(struct harness *h)
{
    h->machine = supervisor_start(&h->options, sink, h, h->why);
    if (!h->machine)
        fprintf(stderr, "start: %s\n", h->why);
    return h->machine != NULL;
}

bool harness_step(struct harness *h, const char *test)
{
    struct door_command command = {.code = DOOR_COMMAND_ADVANCE};

    snprintf(command.text, sizeof(command.text), "%s", test);
    return supervisor_command(h->machine, &command);
}

void harness_finish(struct harness *h)
{
    supervisor_finish(h->machine, &h->end);
    if (h->end.outcome != SUPERVISOR_CLEAN && getenv("HARNESS_VERBOSE"))
        fprintf(stderr, "  end %d: %s\n", h->end.outcome, h->end.detail);
}

bool harness_said(const struct harness *h, const char *line)
{
    size_t n = strlen(line);

    for (const char *at = h->said; (at = strstr(at, line)); at++)
        if ((at == h->said || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}
