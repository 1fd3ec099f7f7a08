/* One program's thread, as the server sees it. */
#pragma once

#include <sys/types.h>

#include "client.h"
#include "explore/session.h"
#include "serve/serve.h"
#include "supervisor/supervisor.h"

/* A program, and the memory that its process shares with it. */
struct program {
    unsigned guests; /* its threads; 0: free */
    pid_t pid;
    uint64_t base, bytes; /* of the memory, in the machine */
    struct supervisor_share share;
};

struct guest {
    int fd; /* -1: free */
    pid_t pid;
    uint32_t index;          /* on the board */
    uint32_t process;        /* 0: none yet, or no more */
    struct program *program; /* NULL: none yet */
    struct client_area *area;
    bool leaves; /* we have hung up; the place is free when the program has, too */
};

struct server {
    struct serve *serve;
    struct session *session;
    int listener, epoll, program, folder_made;
    pid_t child;
    char path[108];
    char folder[80];
    struct guest guest[DOOR_GUESTS];
    struct program programs[DOOR_SHARES];
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
