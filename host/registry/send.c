/* See registry.h: requests to a machine. */
#include "registry/registry.h"
#include <string.h>

static bool fetch(registry_command_fn *command, void *context, struct registry_stream *answer, uint64_t bytes)
{
    while (answer->size < bytes) {
        struct door_command c = {.code = DOOR_COMMAND_REGISTRY_ANSWER, .value = answer->size};
        if (!command(context, &c))
            return false;
        if (c.value > sizeof c.text || !c.value || !registry_append(answer, c.text, c.value))
            return true; /* as much as there is */
    }
    return true;
}

bool registry_send(registry_command_fn *command, void *context, const struct registry_stream *request,
                   struct registry_stream *answer, uint32_t *status)
{
    size_t at = 0;
    for (;;) {
        struct door_command c = {.code = DOOR_COMMAND_REGISTRY};
        size_t part = request->size - at < sizeof c.text ? request->size - at : sizeof c.text;
        bool last = at + part == request->size;
        if (part)
            memcpy(c.text, request->bytes + at, part);
        c.value = part | (last ? DOOR_REGISTRY_LAST : 0);
        if (!command(context, &c))
            return false;
        *status = c.status;
        if (c.status >= 0x80000000)
            return true;
        if (last)
            return !answer || fetch(command, context, answer, c.value);
        at += part;
    }
}
