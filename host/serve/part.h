/* One program's thread, as the server sees it. */
#pragma once

#include <sys/types.h>

#include "client.h"
#include "explore/session.h"
#include "serve/serve.h"

struct guest {
    int fd; /* -1: free */
    pid_t pid;
    uint32_t index;   /* its area's */
    uint32_t process; /* 0: none yet, or no more */
    bool leaves;      /* we have hung up; the area is free when the program has, too */
};

struct server {
    struct serve *serve;
    struct session *session;
    int listener, epoll, program, folder_made;
    pid_t child;
    char path[108];
    char folder[80];
    struct guest guest[DOOR_GUESTS];
    uint64_t idle; /* virtual time that has brought nothing */
    uint32_t calls;
};

/* guest.c. False: the machine has ended. */
void guest_welcome(struct server *s);               /* somebody connects */
bool guest_hear(struct server *s, struct guest *g); /* its socket has something, or is closed */
bool guest_end(struct server *s, struct guest *g, uint32_t status);
void guest_close(struct server *s, struct guest *g);
bool guest_waits(const struct server *s, const struct guest *g);
bool guest_is_broken(const struct server *s, const struct guest *g);
