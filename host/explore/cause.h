/*
 * What a run of the explorer ended with: its findings' causes. Two findings have the same cause when rule, subject, bug
 * check and the driver's place are the same; the place is relative to the image.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "door.h"
#include "supervisor/supervisor.h"

struct cause {
    char rule[40], subject[64];
    uint32_t code;
    char place[88]; /* "stuck.sys+0x102c", "" = no driver's */
    char text[192]; /* the verdict; tells causes apart only when there is no place */
};

bool cause_same(const struct cause *a, const struct cause *b);
/* Rule and 8 digits, for a file's name. */
void cause_name(const struct cause *c, char *name, unsigned room);

#define CAUSES 16 /* of one run; a run that goes on after findings may have more, which are not looked at */

struct cause_watch {
    struct cause cause[CAUSES];
    unsigned causes;
    bool missing;  /* something does not exist here */
    bool internal; /* we or the host failed */
    uint64_t hash; /* of all events since the boot */

    struct {
        uint64_t base;
        uint32_t bytes;
        char name[64];
    } image[64];
    unsigned images;
    unsigned images_then;
    uint64_t hash_then;
};

void cause_begin(struct cause_watch *w); /* a new machine */
void cause_event(struct cause_watch *w, const struct door_event *event, const void *payload);
void cause_mark(struct cause_watch *w); /* where its snapshot is */
void cause_back(struct cause_watch *w);
/* A cause that only the outside can see. */
void cause_add(struct cause_watch *w, const char *rule, const char *subject, const char *text);
void cause_of_end(struct cause_watch *w, const struct supervisor_end *end);
