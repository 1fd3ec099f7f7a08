/* See calls.h. */
#include "explore/calls.h"

#include <stdlib.h>
#include <string.h>
#include "explore/session.h"

/* A place for `bytes` of data that no slot in use has; DOOR_USER_DATA = there is none. */
static uint64_t find_room(const struct calls *c, uint64_t bytes)
{
    uint64_t at = 0;
    for (unsigned i = 0; i < DOOR_CALLS; i++) {
        const struct calls_slot *slot = &c->slot[i];
        if (slot->used && slot->at < at + bytes && at < slot->at + slot->bytes) {
            at = (slot->at + slot->bytes + 63) & ~63ull;
            i = (unsigned)-1;
        }
        if (at > DOOR_USER_DATA || bytes > DOOR_USER_DATA - at)
            return DOOR_USER_DATA;
    }
    return at;
}

static bool take_slot(struct calls *c, uint64_t bytes, uint32_t *slot)
{
    uint64_t at = find_room(c, bytes);
    for (uint32_t i = 0; i < DOOR_CALLS && (at < DOOR_USER_DATA || !bytes); i++)
        if (!c->slot[i].used) {
            c->slot[i] = (struct calls_slot){.used = true, .at = at, .bytes = bytes};
            *slot = i;
            return true;
        }
    return false;
}

/* The data of a call one way: what its copies speak of; all of it when there are none. Both sides hold call->bytes. */
static void move_data(const struct door_call *call, bool out, uint8_t *to, const uint8_t *from)
{
    if (!call->copies)
        memcpy(to, from, call->bytes);
    for (uint32_t i = 0; i < call->copies && i < DOOR_CALL_COPIES; i++) {
        const struct door_copy *copy = &call->copy[i];
        if ((copy->when != DOOR_COPY_IN) == out && copy->offset <= call->bytes &&
            copy->bytes <= call->bytes - copy->offset)
            memcpy(to + copy->offset, from + copy->offset, copy->bytes);
    }
}

/* The reply as far as it is one, from memory that the worker may have written anything to. */
static void read_reply(struct session *s, uint32_t slot, struct door_call *call, uint8_t *data)
{
    struct door_user *user = supervisor_user(s->supervisor);
    struct calls_slot *mine = &s->calls.slot[slot];
    struct door_call reply;
    memcpy(&reply, &user->call[slot], sizeof reply);
    if (reply.state != DOOR_CALL_DONE) {
        call->state = DOOR_CALL_POSTED;
        return;
    }
    call->state = DOOR_CALL_DONE;
    call->status = reply.status;
    call->value = reply.value;
    memcpy(call->argument, reply.argument, 4 * sizeof call->argument[0]);
    call->apcs = reply.apcs < DOOR_CALL_APCS ? reply.apcs : DOOR_CALL_APCS;
    memcpy(call->apc, reply.apc, sizeof call->apc);
    call->bytes = mine->bytes;
    move_data(call, true, data, user->data + mine->at);
    mine->used = false;
}

static bool keep(struct session *s, const struct door_call *call, uint32_t slot, const uint8_t *data)
{
    struct calls *c = &s->calls;
    struct calls_reply *more = realloc(c->reply, (c->replies + 1) * sizeof *more);
    uint8_t *copy = more ? malloc(call->bytes + 1) : NULL;
    if (more)
        c->reply = more;
    if (!copy)
        return false;
    memcpy(copy, data, call->bytes);
    c->reply[c->replies++] = (struct calls_reply){*call, slot, copy};
    return true;
}

static void repeat(struct session *s, struct door_call *call, uint8_t *data, uint32_t *slot)
{
    struct calls *c = &s->calls;
    if (c->next == c->replies)
        return;
    const struct calls_reply *reply = &c->reply[c->next++];
    uint64_t bytes = call->bytes < reply->call.bytes ? call->bytes : reply->call.bytes;
    *call = reply->call;
    *slot = reply->slot;
    memcpy(data, reply->data, bytes);
}

bool calls_make(struct session *s, struct door_call *call, uint8_t *data, bool wait, uint64_t limit, uint32_t *slot)
{
    if (s->repeating) {
        repeat(s, call, data, slot);
        return true;
    }
    if (s->ended)
        return false;
    call->state = DOOR_CALL_DONE;
    call->status = 0xC000009A; /* STATUS_INSUFFICIENT_RESOURCES: too many are pending, or too much data */
    if (!take_slot(&s->calls, call->bytes, slot))
        return true;
    struct door_user *user = supervisor_user(s->supervisor);
    call->state = DOOR_CALL_POSTED;
    call->data = s->calls.slot[*slot].at;
    move_data(call, false, user->data + call->data, data);
    memcpy(&user->call[*slot], call, sizeof *call);
    struct door_command c = {.code = wait ? DOOR_COMMAND_CALL : DOOR_COMMAND_POST, .value = *slot, .limit = limit};
    if (!supervisor_command(s->supervisor, &c)) {
        s->ended = true;
        return false;
    }
    read_reply(s, *slot, call, data);
    return !s->taking || keep(s, call, *slot, data);
}

void calls_collect(struct session *s, uint32_t slot, struct door_call *call, uint8_t *data)
{
    uint32_t unused;
    if (s->repeating)
        repeat(s, call, data, &unused);
    else if (slot < DOOR_CALLS && s->calls.slot[slot].used)
        read_reply(s, slot, call, data);
    if (s->taking)
        keep(s, call, slot, data);
}

void calls_free(struct session *s)
{
    for (unsigned i = 0; i < s->calls.replies; i++)
        free(s->calls.reply[i].data);
    free(s->calls.reply);
    s->calls = (struct calls){0};
}
