/*
 * One connection: a thread of a process in the machine. Whatever comes that is no proper request closes it; with its last
 * connection a process ends.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/part.h"

#define STATUS_CONTROL_C_EXIT 0xC000013Au /* a program that vanishes without a word */

void guest_close(struct server *s, struct guest *g)
{
    if (g->fd < 0)
        return;
    supervisor_assign(s->session->supervisor, g->index, 0, 0);
    supervisor_hang_up(s->session->supervisor, g->index);
    close(g->fd); /* leaves the epoll set by that */
    *g = (struct guest){.fd = -1, .index = g->index};
}

/* A program that has not closed its end may still write to the area, which nobody else gets until then. */
static void hang_up(struct server *s, struct guest *g)
{
    g->process = 0;
    g->leaves = true;
    supervisor_assign(s->session->supervisor, g->index, 0, 0);
    supervisor_hang_up(s->session->supervisor, g->index);
    shutdown(g->fd, SHUT_WR);
}

bool guest_waits(const struct server *s, const struct guest *g)
{
    return supervisor_guest(s->session->supervisor, g->index) == SUPERVISOR_GUEST_WAITS;
}

bool guest_is_broken(const struct server *s, const struct guest *g)
{
    return g->process && supervisor_guest(s->session->supervisor, g->index) == SUPERVISOR_GUEST_BROKEN;
}

static struct client_area *area_of(const struct server *s, const struct guest *g)
{
    return supervisor_area(s->session->supervisor, g->index);
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

static bool send_welcome(struct server *s, const struct guest *g, int socket)
{
    int file = supervisor_guests_file(s->session->supervisor);
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {0};
    struct client_welcome welcome = {CLIENT_VERSION, g->index};
    struct iovec part = {&welcome, sizeof welcome};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(header), &file, sizeof file);
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof welcome;
}

/* A place whose last call is not under way any more. */
static struct guest *find_place(struct server *s)
{
    for (int i = 0; i < DOOR_GUESTS; i++)
        if (s->guest[i].fd < 0 && supervisor_guest(s->session->supervisor, (uint32_t)i) == SUPERVISOR_GUEST_QUIET)
            return &s->guest[i];
    return NULL;
}

void guest_welcome(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    struct guest *g = find_place(s);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = g};
    pid_t pid;
    if (fd < 0)
        return;
    if (!g || !trusted(fd, &pid) || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event)) {
        close(fd);
        return;
    }
    g->fd = fd;
    g->pid = pid;
    atomic_store(&area_of(s, g)->state, CLIENT_IDLE);
    if (!send_welcome(s, g, fd))
        guest_close(s, g);
}

static void reply(const struct guest *g)
{
    char byte = CLIENT_REPLY;
    if (send(g->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
        shutdown(g->fd, SHUT_RDWR); /* it does not read: heard of as closed */
}

/* Only the program itself adds threads to its process. */
static bool owns(const struct server *s, const struct guest *g, uint32_t process)
{
    for (int i = 0; i < DOOR_GUESTS; i++)
        if (s->guest[i].fd >= 0 && s->guest[i].process == process && s->guest[i].pid == g->pid)
            return true;
    return false;
}

/* Image name and command line, each with its zero: bytes of them. */
static bool are_names(const char *names, uint64_t bytes)
{
    size_t first = strnlen(names, bytes) + 1;
    return first < bytes && first + strnlen(names + first, bytes - first) + 1 == bytes;
}

/* False in *good: no proper request. */
static bool attach(struct server *s, struct guest *g, bool *good)
{
    struct client_area *area = area_of(s, g);
    uint32_t process = area->process, slot;
    char names[2048];
    struct door_call c = {.kind = process ? DOOR_CALL_THREAD : DOOR_CALL_LAUNCH, .process = process ? process : 4};
    c.argument[0] = !process && area->wow64 ? DOOR_LAUNCH_WOW64 : 0;
    c.bytes = process ? 0 : area->bytes;
    *good = !g->process && c.bytes <= sizeof names && (!process || owns(s, g, process));
    if (!*good)
        return true;
    memcpy(names, area->data, c.bytes);
    *good = process || are_names(names, c.bytes);
    if (!*good)
        return true;
    if (!calls_make(s->session, &c, (uint8_t *)names, true, 0, &slot))
        return false;
    if (c.state == DOOR_CALL_DONE && c.status < 0x80000000) {
        g->process = process ? process : (uint32_t)c.value;
        area->process = g->process;
        area->thread = (uint32_t)c.argument[0];
        area->stack = c.argument[1];
        supervisor_assign(s->session->supervisor, g->index, g->process, (uint32_t)c.argument[0]);
    }
    area->status =
        c.state == DOOR_CALL_DONE ? c.status : 0xC00000B5; /* STATUS_IO_TIMEOUT: a callback keeps the launch */
    reply(g);
    return true;
}

bool guest_end(struct server *s, struct guest *g, uint32_t status)
{
    struct door_call c = {.kind = DOOR_CALL_RAISE, .process = g->process, .argument = {status}};
    uint8_t none;
    uint32_t slot, process = g->process;
    bool alive = !process || calls_make(s->session, &c, &none, true, 1, &slot);
    /* Its other threads are of a process that is no more. */
    for (int i = 0; i < DOOR_GUESTS; i++) {
        struct guest *other = &s->guest[i];
        if (other->fd >= 0 && (other == g || (process && other->process == process)))
            hang_up(s, other);
    }
    return alive;
}

/* Other threads of the same program? */
static bool last_thread(const struct server *s, const struct guest *g)
{
    for (int i = 0; i < DOOR_GUESTS; i++)
        if (&s->guest[i] != g && s->guest[i].fd >= 0 && s->guest[i].process == g->process)
            return false;
    return true;
}

static bool left(struct server *s, struct guest *g)
{
    bool alive = true;
    if (g->process &&
        (last_thread(s, g) || supervisor_guest(s->session->supervisor, g->index) != SUPERVISOR_GUEST_QUIET))
        alive = guest_end(s, g, STATUS_CONTROL_C_EXIT);
    guest_close(s, g);
    supervisor_clear(s->session->supervisor, g->index);
    return alive;
}

bool guest_hear(struct server *s, struct guest *g)
{
    char byte[16];
    ssize_t n = recv(g->fd, byte, sizeof byte, MSG_DONTWAIT);
    bool good = n == 1;
    if (n <= 0)
        return left(s, g);
    if (g->leaves)
        return true;
    if (good && *byte == CLIENT_END)
        return guest_end(s, g, area_of(s, g)->exit_status);
    if (good && *byte == CLIENT_ATTACH) {
        if (!attach(s, g, &good))
            return false;
    } else
        good = false;
    return good || guest_end(s, g, STATUS_CONTROL_C_EXIT);
}
