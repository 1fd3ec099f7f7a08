/*
 * Calls of user processes (door.h: struct door_call), as a session makes them: the memory both sides see is handed out
 * here, replies are copied before they are used, and kept for the runs that repeat a scenario.
 */
#pragma once

#include <stdbool.h>
#include "door.h"

struct session;

struct calls {
    struct calls_slot {
        bool used;
        uint64_t at, bytes; /* in door_user.data */
    } slot[DOOR_CALLS];
    struct calls_reply {
        struct door_call call;
        uint32_t slot;
        uint8_t *data;
    } * reply;
    unsigned replies, next;
};

/*
 * Make a call whose data (call->bytes of them, in and out) the copies speak of. wait: until it is done or limit (100
 * ns, 0 = a minute) has passed; else it is posted. Then call->state says whether it is done, and *slot is what
 * calls_collect wants. False: the machine has ended.
 */
bool calls_make(struct session *s, struct door_call *call, uint8_t *data, bool wait, uint64_t limit, uint32_t *slot);

/* Look at one that was not done, without anything going on. call->bytes: how much data. */
void calls_collect(struct session *s, uint32_t slot, struct door_call *call, uint8_t *data);

void calls_free(struct session *s);
