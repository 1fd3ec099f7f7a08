/*
 * One connection: a thread of a process in the machine. Whatever comes that is no proper request closes it; with its last
 * connection a process ends.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/part.h"

#define STATUS_CONTROL_C_EXIT 0xC000013Au /* a program that vanishes without a word */

static void leave_program(struct server *s, struct guest *g)
{
    struct program *p = g->program;
    if (g->area)
        supervisor_hang_up(g->area);
    if (p && --p->guests == 0)
        supervisor_share_close(s->session->supervisor, &p->share);
    g->program = NULL;
    g->area = NULL;
}

void guest_close(struct server *s, struct guest *g)
{
    if (g->fd < 0)
        return;
    supervisor_assign(s->session->supervisor, g->index, 0, 0, 0);
    leave_program(s, g);
    close(g->fd); /* leaves the epoll set by that */
    *g = (struct guest){.fd = -1, .index = g->index};
}

/* A program that has not closed its end may still ring; nobody else gets its place until then. */
static void hang_up(struct server *s, struct guest *g)
{
    g->process = 0;
    g->leaves = true;
    supervisor_assign(s->session->supervisor, g->index, 0, 0, 0);
    if (g->area)
        supervisor_hang_up(g->area);
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

static bool trusted(int fd, pid_t *pid)
{
    struct ucred who;
    socklen_t bytes = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) || (who.uid != getuid() && who.uid != 0))
        return false;
    *pid = who.pid;
    return true;
}

/* Files: the board, and the program's memory for its first thread. */
static bool send_welcome(const struct guest *g, const struct client_welcome *welcome, const int *files, size_t count)
{
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr header;
    } control = {0};
    struct iovec part = {(void *)welcome, sizeof *welcome};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), files, count * sizeof(int));
    }
    return sendmsg(g->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof *welcome;
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
}

/* Only the program itself adds threads to its process. */
static struct program *program_of(const struct server *s, const struct guest *g, uint32_t process)
{
    for (int i = 0; i < DOOR_GUESTS; i++)
        if (s->guest[i].fd >= 0 && s->guest[i].process == process && s->guest[i].pid == g->pid)
            return s->guest[i].program;
    return NULL;
}

/* Image name and command line, each with its zero: bytes of them. */
static bool are_names(const char *names, uint64_t bytes)
{
    size_t first = strnlen(names, bytes) + 1;
    return first < bytes && first + strnlen(names + first, bytes - first) + 1 == bytes;
}

static struct program *new_program(struct server *s, pid_t pid)
{
    for (int i = 0; i < DOOR_SHARES; i++)
        if (!s->programs[i].guests) {
            struct program *p = &s->programs[i];
            *p = (struct program){.pid = pid};
            return supervisor_share(s->session->supervisor, &p->share) ? p : NULL;
        }
    return NULL;
}

/* What the machine says of a new thread; it is not trusted. False: its stack does not lie in the program's memory. */
static bool place_thread(struct server *s, struct guest *g, struct program *p, struct client_welcome *w)
{
    uint64_t offset = w->stack - p->base;
    if (p->bytes > DOOR_SHARE_BYTES || w->stack < p->base || offset % DOOR_PAGE || offset > p->bytes ||
        p->bytes - offset < DOOR_USER_STACK)
        return false;
    g->process = w->process;
    g->program = p;
    g->area = (struct client_area *)(p->share.memory + offset);
    p->guests++;
    memset(g->area, 0, sizeof *g->area);
    w->base = p->base;
    w->bytes = p->bytes;
    supervisor_assign(s->session->supervisor, g->index, w->process, w->thread,
                      p->share.slot * DOOR_SHARE_BYTES + offset);
    return true;
}

/* False: the machine has ended. */
static bool start(struct server *s, struct guest *g, struct program *p, struct client_request *r)
{
    struct door_call c = {.kind = r->process ? DOOR_CALL_THREAD : DOOR_CALL_LAUNCH,
                          .process = r->process ? r->process : 4,
                          .bytes = r->bytes};
    struct client_welcome w = {.version = CLIENT_VERSION, .index = g->index};
    int files[] = {supervisor_board(s->session->supervisor), p->share.fd};
    uint32_t slot;
    bool good;
    c.argument[0] = r->process ? 0 : DOOR_LAUNCH_SHARED | (r->wow64 ? DOOR_LAUNCH_WOW64 : 0);
    c.argument[1] = p->share.slot;
    if (!calls_make(s->session, &c, (uint8_t *)r->names, true, 0, &slot))
        return false;
    /* STATUS_IO_TIMEOUT: a callback keeps the launch */
    w.status = c.state == DOOR_CALL_DONE ? c.status : 0xC00000B5;
    if (w.status < 0x80000000) {
        w.process = r->process ? r->process : (uint32_t)c.value;
        w.thread = (uint32_t)c.argument[0];
        w.stack = c.argument[1];
        if (!r->process) {
            p->base = c.argument[2];
            p->bytes = c.argument[3];
        }
        if (!place_thread(s, g, p, &w))
            w = (struct client_welcome){.version = CLIENT_VERSION, .status = 0xC000009A};
    }
    good = w.status < 0x80000000;
    if (!p->guests)
        supervisor_share_close(s->session->supervisor, &p->share);
    if (!send_welcome(g, &w, files, !good ? 0 : r->process ? 1 : 2))
        shutdown(g->fd, SHUT_RDWR); /* it does not read: heard of as closed */
    return true;
}

/* *good false: no proper request. False: the machine has ended. */
static bool attach(struct server *s, struct guest *g, struct client_request *r, bool *good)
{
    struct program *p = NULL;
    *good = !g->process && r->version == CLIENT_VERSION && (r->process ? !r->bytes : are_names(r->names, r->bytes));
    if (*good)
        p = r->process ? program_of(s, g, r->process) : new_program(s, g->pid);
    if (!p && *good && !r->process) { /* too many */
        struct client_welcome w = {.version = CLIENT_VERSION, .status = 0xC000009A};
        send_welcome(g, &w, NULL, 0);
        return true;
    }
    *good = p != NULL;
    return !p || start(s, g, p, r);
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
    return alive;
}

bool guest_hear(struct server *s, struct guest *g)
{
    struct client_request r = {0};
    ssize_t n = recv(g->fd, &r, sizeof r, MSG_DONTWAIT | MSG_TRUNC);
    const ssize_t head = offsetof(struct client_request, names);
    if (n <= 0)
        return left(s, g);
    if (g->leaves)
        return true;
    bool good = n >= head && n <= (ssize_t)sizeof r && r.bytes == (uint64_t)(n - head);
    if (good && r.what == CLIENT_END)
        return guest_end(s, g, r.status);
    good = good && r.what == CLIENT_ATTACH;
    if (good && !attach(s, g, &r, &good))
        return false;
    return good || guest_end(s, g, STATUS_CONTROL_C_EXIT);
}
