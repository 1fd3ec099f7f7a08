/*
 * Connections to the machine (client.h): one for each thread; the first makes the process. How the program ends is told: by exit, and by
 * the signals that are Windows' exceptions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "part.h"

__thread DWORD last_error;
uint32_t link_process;

static __thread struct link *mine;
static struct link *first; /* of the thread that made the process; for signal handlers */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t thread_end;
static char chosen_socket[108], chosen_image[256];
static bool chosen_wow64;

void irqlab_machine(const char *socket, const char *image, BOOL wow64)
{
    snprintf(chosen_socket, sizeof chosen_socket, "%s", socket ? socket : "");
    snprintf(chosen_image, sizeof chosen_image, "%s", image ? image : "");
    chosen_wow64 = wow64;
}

/* ---- How the program ends ---------------------------------------------------------------------------------------------- */

/* Only what a signal handler may do. */
static void tell_end(NTSTATUS status)
{
    struct link *l = mine ? mine : first;
    const struct client_request r = {.version = CLIENT_VERSION, .what = CLIENT_END, .status = (uint32_t)status};
    if (l && !l->lost)
        send(l->fd, &r, offsetof(struct client_request, names), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_exit_call(int status, void *context)
{
    (void)context;
    tell_end(status);
}

static const struct {
    int number;
    uint32_t status;
} faults[] = {
    {SIGSEGV, 0xC0000005}, {SIGBUS, 0xC0000006}, {SIGILL, 0xC000001D}, {SIGFPE, 0xC0000094}, {SIGABRT, 0xC0000409},
};

static void on_fault(int number)
{
    if (guard && (number == SIGSEGV || number == SIGBUS))
        siglongjmp(*guard, 1);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i].number == number)
            tell_end((NTSTATUS)faults[i].status);
    signal(number, SIG_DFL);
    raise(number);
}

/* Handlers of the program's own stay. */
static void watch_ends(void)
{
    struct sigaction ours = {.sa_handler = on_fault, .sa_flags = SA_NODEFER | SA_ONSTACK}, theirs;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (!sigaction(faults[i].number, NULL, &theirs) && theirs.sa_handler == SIG_DFL &&
            !(theirs.sa_flags & SA_SIGINFO))
            sigaction(faults[i].number, &ours, NULL);
    on_exit(on_exit_call, NULL);
}

static void close_link(struct link *l)
{
    if (l->board)
        munmap(l->board, sizeof *l->board);
    if (l->fd >= 0)
        close(l->fd);
}

static void on_thread_end(void *value)
{
    struct link *l = value;
    if (l == first)
        return; /* the process's: as long as the process */
    close_link(l);
    free(l);
}

/* ---- Connecting -------------------------------------------------------------------------------------------------------- */

/* The command line as one text, from /proc: this library is not asked by main. */
static void name_program(struct client_request *r)
{
    char line[1024];
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t n = file ? fread(line, 1, sizeof line - 1, file) : 0;
    if (file)
        fclose(file);
    for (size_t i = 0; i + 1 < n; i++)
        line[i] = line[i] ? line[i] : ' ';
    line[n] = 0;
    const char *dot = strrchr(program_invocation_short_name, '.');
    if (*chosen_image)
        snprintf(r->names, 512, "%s", chosen_image);
    else
        snprintf(r->names, 512, "%.200s%s", program_invocation_short_name, dot ? "" : ".exe");
    r->bytes = (uint32_t)strlen(r->names) + 1;
    r->bytes += (uint32_t)snprintf(r->names + r->bytes, sizeof line, "%s", line) + 1;
}

/* The answer, with the board and, for the first thread, the process's memory; -1 = none came. */
static bool receive_welcome(int fd, struct client_welcome *welcome, int file[2])
{
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr header;
    } control;
    struct iovec part = {welcome, sizeof *welcome};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    file[0] = file[1] = -1;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(file, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    return n == sizeof *welcome && welcome->version == CLIENT_VERSION && welcome->index < DOOR_GUESTS;
}

static struct client_board *map_board(int file)
{
    void *at = mmap(NULL, sizeof(struct client_board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return at == MAP_FAILED ? NULL : at;
}

static bool dial(struct link *l)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = *chosen_socket ? chosen_socket : getenv(CLIENT_ENVIRONMENT);
    if (!path || strlen(path) >= sizeof address.sun_path)
        return false;
    strcpy(address.sun_path, path);
    l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return l->fd >= 0 && !connect(l->fd, (struct sockaddr *)&address, sizeof address);
}

/* *status: what the machine says of the process or thread. */
static bool open_link(struct link *l, NTSTATUS *status)
{
    struct client_request r = {
        .version = CLIENT_VERSION, .what = CLIENT_ATTACH, .process = link_process, .wow64 = (uint32_t)chosen_wow64};
    struct client_welcome w;
    int file[2];
    if (!link_process)
        name_program(&r);
    if (!dial(l) || send(l->fd, &r, offsetof(struct client_request, names) + r.bytes, MSG_NOSIGNAL) < 0)
        return false;
    bool good = receive_welcome(l->fd, &w, file);
    *status = good ? (NTSTATUS)w.status : 0;
    if (good && *status >= 0) {
        l->index = w.index;
        l->thread = w.thread;
        l->stack = w.stack;
        l->board = map_board(file[0]);
        good = l->board && (link_process || memory_map(file[1], w.base, w.bytes));
        if (good) {
            memory_open(l->stack, DOOR_USER_STACK);
            l->area = here(l->stack);
            link_process = w.process;
        }
    }
    for (int i = 0; i < 2; i++)
        if (file[i] >= 0)
            close(file[i]);
    return good && *status >= 0;
}

struct link *link_get(void)
{
    if (mine)
        return mine;
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->fd = -1;
    pthread_mutex_lock(&starting);
    NTSTATUS status = 0;
    bool good = open_link(l, &status);
    if (good && !first) {
        first = l;
        pthread_key_create(&thread_end, on_thread_end);
        watch_ends();
    }
    pthread_mutex_unlock(&starting);
    if (good) {
        pthread_setspecific(thread_end, l);
        return mine = l;
    }
    close_link(l);
    free(l);
    last_error = status < 0 ? RtlNtStatusToDosError(status) : ERROR_NOT_READY; /* denied by a driver, or no machine */
    return NULL;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------------- */

void request_begin(struct link *l, enum door_service service)
{
    l->call.service = service;
}

void request_in(uint64_t address, const void *data, uint64_t bytes)
{
    memcpy(here(address), data, bytes);
}

static long futex(_Atomic uint32_t *word, int what, uint32_t value, const struct timespec *patience)
{
    return syscall(SYS_futex, word, what, value, patience, NULL, 0);
}

/* Set our bit before the bell: the worker looks at the bits after it has read the bell. */
static void ring(struct link *l)
{
    atomic_fetch_or(&l->board->posted[l->index / 64], 1ull << l->index % 64);
    atomic_fetch_add(&l->board->bell, 1);
    futex(&l->board->bell, FUTEX_WAKE, 1, NULL);
}

static bool hung_up(struct link *l)
{
    struct pollfd look = {.fd = l->fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0;
}

/* What was put together becomes the machine's; its reply. */
static NTSTATUS post(struct link *l)
{
    static const struct timespec patience = {.tv_sec = CLIENT_PATIENCE};
    struct client_area *area = l->area;
    uint32_t state = CLIENT_POSTED;
    if (l->lost || atomic_load(&area->state) == CLIENT_GONE) {
        l->lost = true;
        return LOST;
    }
    area->call = l->call;
    atomic_store(&area->state, state);
    ring(l);
    while ((state = atomic_load(&area->state)) == CLIENT_POSTED)
        if (futex(&area->state, FUTEX_WAIT, state, &patience) && errno == ETIMEDOUT) {
            if (hung_up(l))
                break;
            ring(l);
        }
    l->lost = state != CLIENT_DONE;
    return l->lost ? LOST : (NTSTATUS)area->status;
}

NTSTATUS request_go(struct link *l, unsigned count, ...)
{
    va_list arguments;
    memset(l->call.argument, 0, sizeof l->call.argument);
    va_start(arguments, count);
    for (unsigned i = 0; i < count; i++)
        l->call.argument[i] = va_arg(arguments, uint64_t);
    va_end(arguments);
    return post(l);
}

bool settle(NTSTATUS status)
{
    if (status >= 0)
        return true;
    last_error = mine && mine->lost ? ERROR_NOT_READY : RtlNtStatusToDosError(status);
    return false;
}

DWORD GetLastError(void)
{
    return last_error;
}

void SetLastError(DWORD error)
{
    last_error = error;
}

DWORD GetCurrentProcessId(void)
{
    return link_get() ? link_process : 0;
}

DWORD GetCurrentThreadId(void)
{
    struct link *l = link_get();
    return l ? l->thread : 0;
}

void ExitProcess(DWORD status)
{
    tell_end((NTSTATUS)status);
    _exit((int)status);
}
