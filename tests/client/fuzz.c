/*
 * A program that sends server and worker garbage: connections without a word, messages of any bytes and lengths, calls whose every
 * field is random, its memory changed while a call is carried out, bits of others set, rings without a call. Whatever happens to it,
 * the machine goes on: at the end an ordinary request works. Argument: seed and number of connections.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "client.h"
#include "irqlab-client.h"

static uint64_t state;

static uint64_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Small numbers, borders and everything else. */
static uint64_t some(void)
{
    static const uint64_t borders[] = {0,
                                       1,
                                       4,
                                       8,
                                       0x1000,
                                       0xffff,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       DOOR_SHARE_BYTES,
                                       CLIENT_NAMES,
                                       UINT64_MAX,
                                       DOOR_USER_END,
                                       DOOR_KERNEL_BASE,
                                       DOOR_IMAGE_BASE};
    switch (any() % 4) {
    case 0:
        return any() % 64;
    case 1:
        return borders[any() % (sizeof borders / sizeof *borders)] + any() % 3 - 1;
    case 2:
        return any() & 0xffffffff;
    default:
        return any();
    }
}

struct line {
    int fd;
    uint32_t index;
    uint64_t stack;
    struct client_board *board; /* NULL: not attached */
    uint8_t *memory;
    struct client_area *area;
};

static void dial(struct line *l)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *l = (struct line){.fd = socket(AF_UNIX, SOCK_SEQPACKET, 0)};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv(CLIENT_ENVIRONMENT));
    if (connect(l->fd, (struct sockaddr *)&address, sizeof address))
        exit((perror("fuzz: the server does not take connections"), 1));
}

static void *map(int file, uint64_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (!ftruncate(file, 0))
        exit((puts("fuzz: the memory's size can be changed"), 1));
    if (at == MAP_FAILED)
        exit((perror("fuzz: the memory"), 1));
    close(file);
    return at;
}

static void attach(struct line *l)
{
    struct client_request r = {.version = CLIENT_VERSION, .what = CLIENT_ATTACH, .bytes = 14};
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr header;
    } control;
    struct client_welcome welcome;
    struct iovec part = {&welcome, sizeof welcome};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int files[2];
    memcpy(r.names, "fuzz.exe\0fuzz", 14);
    if (send(l->fd, &r, offsetof(struct client_request, names) + r.bytes, MSG_NOSIGNAL) < 0 ||
        recvmsg(l->fd, &message, 0) != sizeof welcome || welcome.status >= 0x80000000)
        return;
    memcpy(files, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof files);
    l->index = welcome.index;
    l->stack = welcome.stack;
    l->board = map(files[0], sizeof *l->board);
    l->memory = map(files[1], DOOR_SHARE_BYTES);
    l->area = (struct client_area *)(l->memory + (welcome.stack - welcome.base));
}

static void scramble(const struct line *l)
{
    struct client_call *c = &l->area->call;
    c->service = any() % 8 ? (uint32_t)(any() % DOOR_SERVICE_COUNT) : (uint32_t)some();
    for (int i = 0; i < DOOR_CALL_ARGUMENTS; i++)
        c->argument[i] = any() % 3 ? some() : l->stack + any() % DOOR_USER_STACK;
    for (unsigned n = any() % 64; n; n--) /* what arguments point to */
        ((uint64_t *)l->area)[any() % (DOOR_USER_STACK / 8)] = any() % 2 ? some() : l->stack + any() % DOOR_USER_STACK;
}

static long futex(_Atomic uint32_t *word, int what, uint32_t value, const struct timespec *patience)
{
    return syscall(SYS_futex, word, what, value, patience, NULL, 0);
}

/* A call past the server. */
static void one_call(const struct line *l)
{
    static const struct timespec patience = {.tv_nsec = 20000000};
    scramble(l);
    atomic_store(&l->area->state, any() % 8 ? CLIENT_POSTED : (uint32_t)some());
    atomic_fetch_or(&l->board->posted[l->index / 64], 1ull << l->index % 64);
    if (any() % 8 == 0) /* others' bits: at most they are looked at for nothing */
        atomic_fetch_or(&l->board->posted[any() % (DOOR_GUESTS / 64)], any());
    atomic_fetch_add(&l->board->bell, any() % 8 ? 1 : (uint32_t)any());
    futex(&l->board->bell, FUTEX_WAKE, 1, NULL);
    if (any() % 4 == 0)
        scramble(l); /* while it is carried out */
    if (any() % 8)   /* else the next one before the reply */
        futex(&l->area->state, FUTEX_WAIT, CLIENT_POSTED, &patience);
}

/* False: the server has hung up, as it should on what is no request. */
static int one_message(const struct line *l)
{
    struct client_request r = {.version = any() % 4 ? CLIENT_VERSION : (uint32_t)some(), .what = (uint32_t)(any() % 4)};
    char reply[sizeof(struct client_welcome)];
    size_t head = offsetof(struct client_request, names), count = head + (any() % 2 ? any() % CLIENT_NAMES : 0);
    if (l->area && any() % 4) {
        one_call(l);
        return atomic_load(&l->area->state) != CLIENT_GONE;
    }
    r.process = any() % 2 ? 0 : (uint32_t)some();
    r.wow64 = (uint32_t)(any() % 3);
    r.status = (uint32_t)some();
    r.bytes = any() % 4 ? (uint32_t)(count - head) : (uint32_t)some();
    for (size_t i = 0; i < CLIENT_NAMES; i++)
        r.names[i] = (char)(any() % 8 ? 'a' + any() % 26 : any());
    if (send(l->fd, &r, any() % 8 ? count : any() % sizeof r, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return 0;
    if (any() % 8 == 0)
        return 1; /* the next one before the reply */
    struct pollfd wait = {.fd = l->fd, .events = POLLIN};
    poll(&wait, 1, any() % 4 ? 20 : 0);
    return recv(l->fd, reply, sizeof reply, MSG_DONTWAIT) != 0;
}

/* What one program has in its memory no other finds in its own. */
static void two_programs(void)
{
    struct line one, two;
    dial(&one);
    attach(&one);
    dial(&two);
    attach(&two);
    if (!one.memory || !two.memory)
        exit((puts("fuzz: no processes"), 1));
    for (size_t i = 0; i < DOOR_USER_STACK; i += 4096)
        memcpy((char *)one.area + i + 64, "secret of the first", 20);
    for (size_t i = 0; i < 8 << 20; i += 4096)
        if (!memcmp(two.memory + i + 64, "secret", 6))
            exit((puts("fuzz: another's memory"), 1));
    close(one.fd);
    close(two.fd);
}

int main(int argc, char **argv)
{
    unsigned connections = argc > 2 ? (unsigned)atoi(argv[2]) : 100;
    state = 0x9e3779b97f4a7c15ull * (argc > 1 ? strtoull(argv[1], NULL, 0) + 1 : 1);
    two_programs();
    for (unsigned i = 0; i < connections; i++) {
        struct line l;
        dial(&l);
        if (any() % 8)
            attach(&l);
        for (unsigned n = any() % 12; n && one_message(&l); n--)
            ;
        close(l.fd);
        if (l.board)
            munmap(l.board, sizeof *l.board);
        if (l.memory)
            munmap(l.memory, DOOR_SHARE_BYTES);
    }
    HANDLE event = CreateEventA(NULL, FALSE, TRUE, NULL);
    if (!event || WaitForSingleObject(event, 0) != WAIT_OBJECT_0) {
        printf("fuzz: afterwards nothing works: %u\n", GetLastError());
        return 1;
    }
    printf("fuzz: %u connections, and it still works\n", connections);
    return 0;
}
