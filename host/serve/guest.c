/*
 * One connection: a thread of a process in the machine. Whatever comes that is no proper request closes it; with its last
 * connection a process ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/part.h"

#define STATUS_CONTROL_C_EXIT 0xC000013Au /* a program that vanishes without a word */

void guest_close(struct server *s, struct guest *g)
{
    (void)s;
    if (g->fd < 0)
        return;
    close(g->fd); /* leaves the epoll set by that */
    munmap(g->area, sizeof *g->area);
    memset(g, 0, sizeof *g);
    g->fd = -1;
}

static bool trusted(int fd, pid_t *pid)
{
    struct ucred who;
    socklen_t bytes = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) || (who.uid != getuid() && who.uid != 0))
        return false;
    *pid = who.pid;
    return true;
}

/* The connection's memory: of a size that nobody can change under us. */
static int make_area(struct client_area **area)
{
    int fd = memfd_create("irqlab-client", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    *area = MAP_FAILED;
    if (fd >= 0 && !ftruncate(fd, sizeof **area) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        *area = mmap(NULL, sizeof **area, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*area == MAP_FAILED && fd >= 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_area(int socket, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {0};
    char byte = CLIENT_REPLY;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void guest_welcome(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC), memory = -1;
    struct guest *g = NULL;
    struct epoll_event event = {.events = EPOLLIN};
    pid_t pid;
    for (int i = 0; i < GUESTS && !g; i++)
        g = s->guest[i].fd < 0 ? &s->guest[i] : NULL;
    if (fd < 0)
        return;
    struct client_area *area = MAP_FAILED;
    event.data.ptr = g;
    bool good =
        g && trusted(fd, &pid) && (memory = make_area(&area)) >= 0 && !epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
    if (good) {
        area->version = CLIENT_VERSION;
        good = send_area(fd, memory);
    }
    if (memory >= 0)
        close(memory);
    if (good) {
        *g = (struct guest){.fd = fd, .pid = pid, .area = area};
        return;
    }
    if (area != MAP_FAILED)
        munmap(area, sizeof *area);
    close(fd);
}

static void reply(struct guest *g)
{
    char byte = CLIENT_REPLY;
    g->waits = false;
    if (send(g->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
        shutdown(g->fd, SHUT_RDWR); /* it does not read: heard of as closed */
}

static void tell_reply(struct guest *g)
{
    g->area->status = g->call.status;
    g->area->value = g->call.value;
    g->area->argument[0] = g->call.argument[0];
    g->area->argument[1] = g->call.argument[1];
    reply(g);
}

bool guest_look(struct server *s, struct guest *g)
{
    if (!g->waits)
        return false;
    calls_collect(s->session, g->slot, &g->call, g->area->data);
    if (g->call.state != DOOR_CALL_DONE)
        return false;
    tell_reply(g);
    return true;
}

static bool start_call(struct server *s, struct guest *g)
{
    /* What can be done at once is: one question to the machine instead of two. */
    if (!calls_make(s->session, &g->call, g->area->data, true, 1, &g->slot))
        return false;
    g->waits = g->call.state != DOOR_CALL_DONE;
    s->idle = 0;
    if (!g->waits)
        tell_reply(g);
    return true;
}

/* Copied out of the shared memory; what does not fit makes the request none. */
static bool read_call(struct guest *g)
{
    const struct client_area *a = g->area;
    struct door_call *c = &g->call;
    memset(c, 0, sizeof *c);
    c->kind = a->kind;
    c->service = a->service;
    c->process = g->process;
    c->thread = g->thread;
    c->bytes = a->bytes;
    c->copies = a->copies;
    memcpy(c->argument, a->argument, sizeof c->argument);
    memcpy(c->copy, a->copy, sizeof c->copy);
    if ((c->kind != DOOR_CALL_SERVICE && c->kind != DOOR_CALL_COPY) || c->service >= DOOR_SERVICE_COUNT ||
        c->bytes > CLIENT_DATA || c->copies > DOOR_CALL_COPIES)
        return false;
    for (uint32_t i = 0; i < c->copies; i++)
        if (c->copy[i].offset > c->bytes || c->copy[i].bytes > c->bytes - c->copy[i].offset)
            return false;
    return true;
}

static bool owns(const struct server *s, const struct guest *g, uint32_t process)
{
    for (int i = 0; i < GUESTS; i++)
        if (s->guest[i].fd >= 0 && s->guest[i].process == process && s->guest[i].pid == g->pid)
            return true;
    return false;
}

/* False in *good: no proper request. */
static bool attach(struct server *s, struct guest *g, bool *good)
{
    struct door_call c = {.kind = DOOR_CALL_LAUNCH, .process = 4};
    char names[2048];
    size_t first;
    *good = !g->process;
    c.process = g->area->process ? g->area->process : 4;
    c.kind = g->area->process ? DOOR_CALL_THREAD : DOOR_CALL_LAUNCH;
    c.argument[0] = g->area->process ? 0 : g->area->wow64 ? DOOR_LAUNCH_WOW64 : 0;
    c.bytes = g->area->process ? 0 : g->area->bytes;
    if (!*good || c.bytes > sizeof names || (c.process != 4 && !owns(s, g, c.process))) {
        *good = false;
        return true;
    }
    memcpy(names, g->area->data, c.bytes);
    first = strnlen(names, c.bytes) + 1;
    if (c.process == 4 && (first >= c.bytes || first + strnlen(names + first, c.bytes - first) + 1 != c.bytes)) {
        *good = false;
        return true;
    }
    if (!calls_make(s->session, &c, (uint8_t *)names, true, 0, &g->slot))
        return false;
    if (c.state == DOOR_CALL_DONE && c.status < 0x80000000) {
        g->process = c.kind == DOOR_CALL_LAUNCH ? (uint32_t)c.value : c.process;
        g->thread = (uint32_t)c.argument[0];
        g->area->process = g->process;
        g->area->thread = g->thread;
        g->area->stack = c.argument[1];
    }
    g->area->status =
        c.state == DOOR_CALL_DONE ? c.status : 0xC00000B5; /* STATUS_IO_TIMEOUT: a callback keeps the launch */
    reply(g);
    return true;
}

static void leave_orphan(struct server *s, const struct guest *g)
{
    for (int i = 0; i < GUESTS && g->waits; i++)
        if (!s->orphan[i].used) {
            s->orphan[i] = (struct orphan){true, g->slot, g->call};
            return;
        }
}

void guest_bury(struct server *s)
{
    for (int i = 0; i < GUESTS; i++) {
        struct orphan *o = &s->orphan[i];
        if (!o->used)
            continue;
        calls_collect(s->session, o->slot, &o->call, s->scrap);
        o->used = o->call.state != DOOR_CALL_DONE;
    }
}

bool guest_end(struct server *s, struct guest *g, uint32_t status)
{
    struct door_call c = {.kind = DOOR_CALL_RAISE, .process = g->process, .argument = {status}};
    uint8_t none;
    uint32_t slot, process = g->process;
    bool alive = !process || calls_make(s->session, &c, &none, true, 1, &slot);
    /* Its other threads are of a process that is no more. */
    for (int i = 0; i < GUESTS; i++) {
        struct guest *other = &s->guest[i];
        if (other->fd < 0 || (other != g && (!process || other->process != process)))
            continue;
        leave_orphan(s, other);
        guest_close(s, other);
    }
    if (alive)
        guest_bury(s);
    return alive;
}

/* Other threads of the same program? */
static bool last_thread(const struct server *s, const struct guest *g)
{
    for (int i = 0; i < GUESTS; i++)
        if (&s->guest[i] != g && s->guest[i].fd >= 0 && s->guest[i].process == g->process)
            return false;
    return true;
}

static bool left(struct server *s, struct guest *g)
{
    if (!g->process || last_thread(s, g) || g->waits)
        return guest_end(s, g, STATUS_CONTROL_C_EXIT);
    guest_close(s, g); /* a thread that has ended */
    return true;
}

bool guest_hear(struct server *s, struct guest *g)
{
    char byte[16];
    ssize_t n = recv(g->fd, byte, sizeof byte, MSG_DONTWAIT);
    bool good = n == 1;
    if (n <= 0)
        return left(s, g);
    if (good && *byte == CLIENT_END)
        return guest_end(s, g, g->area->status);
    if (good && *byte == CLIENT_ATTACH && !g->waits) {
        if (!attach(s, g, &good))
            return false;
    } else if (good && *byte == CLIENT_CALL && g->process && !g->waits && read_call(g)) {
        if (!start_call(s, g))
            return false;
    } else
        good = false;
    return good || guest_end(s, g, STATUS_CONTROL_C_EXIT);
}
