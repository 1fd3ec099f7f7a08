/* See serve.h: the socket, the program that may be started for it, and whose turn it is: the programs' or the machine's. */
#define _GNU_SOURCE
#include "serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temporary.h"
#include "serve/part.h"

#define STEP 100000000ull         /* 10 s of virtual time at once */
#define PATIENCE 3000             /* ms */
#define LOOK 100                  /* ms: at a machine whose programs may ring it */
#define BEAT 5                    /* ms: time's own pace while some wait and others compute */
#define IDLE (3600ull * 10000000) /* without anything: programs that wait for each other */

static bool fail(struct server *s, const char *what)
{
    snprintf(s->serve->error, sizeof s->serve->error, "%.150s: %s", what, strerror(errno));
    return false;
}

static bool open_socket(struct server *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *given = s->serve->socket;
    if (!given) {
        errno = temporary_directory(s->folder, sizeof s->folder, "-serve");
        if (errno)
            return fail(s, s->folder);
        s->folder_made = 1;
        snprintf(s->path, sizeof s->path, "%s/socket", s->folder);
    } else if (strlen(given) >= sizeof s->path) {
        errno = ENAMETOOLONG;
        return fail(s, given);
    } else
        strcpy(s->path, given);
    strcpy(address.sun_path, s->path);
    s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    mode_t mask = umask(077);
    bool good =
        s->listener >= 0 && !bind(s->listener, (struct sockaddr *)&address, sizeof address) && !listen(s->listener, 64);
    umask(mask);
    if (!good) {
        fail(s, s->path);
        s->path[0] = 0; /* not ours to remove */
    }
    return good;
}

static bool watch(struct server *s, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    return !epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) || fail(s, "epoll");
}

static bool start_program(struct server *s)
{
    s->child = fork();
    if (s->child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        setenv(CLIENT_ENVIRONMENT, s->path, 1);
        execl("/bin/sh", "sh", "-c", s->serve->program, (char *)NULL);
        _exit(127);
    }
    s->program = s->child > 0 ? (int)syscall(SYS_pidfd_open, s->child, 0) : -1;
    return s->program >= 0 ? watch(s, s->program, &s->program) : fail(s, "cannot start the program");
}

static bool open_server(struct server *s, int signals)
{
    for (int i = 0; i < DOOR_GUESTS; i++)
        s->guest[i] = (struct guest){.fd = -1, .index = (uint32_t)i};
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    return (s->epoll >= 0 || fail(s, "epoll")) && open_socket(s) && watch(s, s->listener, &s->listener) &&
           watch(s, signals, s) && watch(s, supervisor_news(s->session->supervisor), s->session) &&
           (!s->serve->program || start_program(s));
}

/* Who has a call that is not done, and who computes or has one that the machine is at. */
static void count(const struct server *s, int *waiting, int *computing)
{
    *waiting = *computing = 0;
    for (int i = 0; i < DOOR_GUESTS; i++)
        if (s->guest[i].fd >= 0 && !s->guest[i].leaves)
            ++*(guest_waits(s, &s->guest[i]) ? waiting : computing);
}

/* The machine's turn. False: it has ended. */
static bool go_on(struct server *s, uint64_t time)
{
    struct door_command c = {.code = DOOR_COMMAND_SERVE, .value = time};
    uint32_t calls = supervisor_guest_calls(s->session->supervisor);
    if (!supervisor_command(s->session->supervisor, &c)) {
        s->session->ended = true;
        return false;
    }
    s->idle = c.value || calls != s->calls ? 0 : s->idle + time;
    s->calls = calls;
    return true;
}

/* The machine has run by itself. False: it has ended. */
static bool look(struct server *s, bool quiet)
{
    if (!supervisor_look(s->session->supervisor, quiet)) {
        s->session->ended = true;
        return false;
    }
    for (int i = 0; i < DOOR_GUESTS; i++)
        if (s->guest[i].fd >= 0 && guest_is_broken(s, &s->guest[i]) && !guest_end(s, &s->guest[i], 0xC000013A))
            return false;
    s->idle = supervisor_guest_calls(s->session->supervisor) != s->calls ? 0 : s->idle;
    return true;
}

/* False: the machine has ended. *stop: we are asked to, or the program has ended. */
static bool hear(struct server *s, int wait, bool *stop)
{
    struct epoll_event event[16];
    int n = epoll_wait(s->epoll, event, 16, wait);
    for (int i = 0; i < n; i++) {
        void *who = event[i].data.ptr;
        if (who == &s->listener)
            guest_welcome(s);
        else if (who == s || who == &s->program)
            *stop = true;
        else if (who == s->session) {
            if (!look(s, false))
                return false;
        } else if (((struct guest *)who)->fd >= 0 && !guest_hear(s, who))
            return false;
    }
    return n || wait != LOOK || look(s, true);
}

static bool loop(struct server *s)
{
    bool stop = false, alive = true;
    while (alive && !stop) {
        int waiting, computing;
        count(s, &waiting, &computing);
        bool idle = s->idle >= IDLE, turn = waiting && !computing && !idle;
        alive = hear(s, turn ? 0 : waiting && !idle ? BEAT : computing ? LOOK : -1, &stop);
        if (alive && !stop) {
            count(s, &waiting, &computing);
            if (waiting)
                alive = go_on(s, idle ? 0 : computing ? BEAT * 10000 : STEP);
        }
    }
    return alive;
}

/* Its sockets are closed: a program that hears of it ends by itself. One that does not is told, then killed. */
static void end_program(struct server *s)
{
    struct pollfd wait = {.fd = s->program, .events = POLLIN};
    static const int signals[] = {0, SIGTERM, SIGKILL};
    for (int i = 0; i < 3; i++) {
        if (signals[i])
            kill(s->child, signals[i]);
        if (i == 2 || poll(&wait, 1, PATIENCE) > 0)
            break;
    }
    while (waitpid(s->child, &s->serve->program_status, 0) < 0 && errno == EINTR)
        ;
}

static void close_server(struct server *s)
{
    for (int i = 0; i < DOOR_GUESTS; i++)
        guest_close(s, &s->guest[i]);
    if (s->listener >= 0)
        close(s->listener);
    if (s->child > 0)
        end_program(s);
    if (s->program >= 0)
        close(s->program);
    if (s->epoll >= 0)
        close(s->epoll);
    if (*s->path)
        unlink(s->path);
    if (s->folder_made)
        rmdir(s->folder);
}

bool serve_run(struct serve *serve, struct session *session)
{
    struct server *s = calloc(1, sizeof *s);
    sigset_t ours, before;
    bool alive = true;
    *serve->error = 0;
    serve->program_status = 0;
    if (!s) {
        snprintf(serve->error, sizeof serve->error, "out of memory");
        return true;
    }
    s->serve = serve;
    s->session = session;
    s->listener = s->epoll = s->program = -1;
    /* The usual signals end the serving, and with it the run, in order. */
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_BLOCK, &ours, &before);
    int signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals >= 0 && open_server(s, signals))
        alive = loop(s);
    /* Processes whose programs are left behind end with the machine's. */
    for (int i = 0; i < DOOR_GUESTS && alive; i++)
        if (s->guest[i].fd >= 0)
            alive = guest_end(s, &s->guest[i], 0xC000013A);
    close_server(s);
    struct signalfd_siginfo taken;
    while (signals >= 0 && read(signals, &taken, sizeof taken) == sizeof taken)
        ;
    if (signals >= 0)
        close(signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(s);
    return alive;
}
