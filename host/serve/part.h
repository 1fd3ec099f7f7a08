/* One program's thread, as the server sees it. */
#pragma once

#include <sys/types.h>

#include "client.h"
#include "explore/session.h"
#include "serve/serve.h"

enum { GUESTS = 200 }; /* connections; each has one call at a time, so the machine's table of calls has room */

struct guest {
    int fd; /* -1: free */
    pid_t pid;
    struct client_area *area;
    uint32_t process, thread;
    bool waits; /* its call is not done */
    uint32_t slot;
    struct door_call call;
};

/* A call that stood when its program went: its place is free when it is done. */
struct orphan {
    bool used;
    uint32_t slot;
    struct door_call call;
};

struct server {
    struct serve *serve;
    struct session *session;
    int listener, epoll, program, folder_made;
    pid_t child;
    char path[108];
    char folder[80];
    struct guest guest[GUESTS];
    struct orphan orphan[GUESTS];
    uint8_t *scrap; /* CLIENT_DATA bytes, for what nobody reads */
    uint64_t idle;  /* virtual time that has brought nothing */
};

/* guest.c. False: the machine has ended. */
void guest_welcome(struct server *s);               /* somebody connects */
bool guest_hear(struct server *s, struct guest *g); /* its socket has something, or is closed */
bool guest_look(struct server *s, struct guest *g); /* is its call done? */
bool guest_end(struct server *s, struct guest *g, uint32_t status);
void guest_close(struct server *s, struct guest *g);
void guest_bury(struct server *s); /* look at the orphans */
