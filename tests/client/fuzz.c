/*
 * A program that sends server and worker garbage: connections without a word, messages of any bytes and lengths, calls whose every
 * field is random, memory changed while a call is carried out, bits of others set, rings without a call. Whatever happens to it,
 * the machine goes on: at the end an ordinary request works. Argument: seed and number of connections.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
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
                                       CLIENT_DATA,
                                       CLIENT_DATA - 1,
                                       CLIENT_DATA + 1,
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
    struct client_board *board;
    struct client_area *area;
};

static void dial(struct line *l)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    struct client_welcome welcome;
    struct iovec part = {&welcome, sizeof welcome};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int memory = -1;
    l->fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv(CLIENT_ENVIRONMENT));
    if (connect(l->fd, (struct sockaddr *)&address, sizeof address) || recvmsg(l->fd, &message, 0) != sizeof welcome) {
        perror("fuzz: the server does not take connections");
        exit(1);
    }
    memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof memory);
    if (!ftruncate(memory, 0)) {
        puts("fuzz: the memory's size can be changed");
        exit(1);
    }
    l->index = welcome.index;
    l->board = mmap(NULL, sizeof *l->board, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    l->area = mmap(NULL, sizeof *l->area, PROT_READ | PROT_WRITE, MAP_SHARED, memory,
                   (off_t)CLIENT_AREA_OFFSET(welcome.index));
    close(memory);
    if (l->board == MAP_FAILED || l->area == MAP_FAILED)
        exit((perror("fuzz: the memory"), 1));
}

static void scramble(struct client_area *a, int proper)
{
    struct client_call *c = &a->call;
    c->kind = any() % 4 ? DOOR_CALL_SERVICE : (uint32_t)some();
    c->service = any() % 8 ? (uint32_t)(any() % DOOR_SERVICE_COUNT) : (uint32_t)some();
    c->bytes = any() % 2 ? any() % 65536 : some();
    c->copies = any() % 4 ? (uint32_t)(any() % DOOR_CALL_COPIES) : (uint32_t)some();
    for (int i = 0; i < DOOR_CALL_ARGUMENTS; i++)
        c->argument[i] = any() % 3 ? some() : a->stack + any() % DOOR_USER_STACK;
    for (int i = 0; i < DOOR_CALL_COPIES; i++)
        c->copy[i] = (struct door_copy){.address = any() % 2 ? a->stack + any() % DOOR_USER_STACK : some(),
                                        .offset = (uint32_t)(any() % 2 ? any() % 4096 : some()),
                                        .bytes = (uint32_t)(any() % 2 ? any() % 256 : some()),
                                        .when = (uint32_t)(any() % 5)};
    if (!proper) {
        a->process = (uint32_t)some();
        a->wow64 = (uint32_t)some();
        a->bytes = some();
        a->status = (uint32_t)any();
    }
}

static void attach(const struct line *l)
{
    char byte = CLIENT_ATTACH;
    l->area->process = 0;
    l->area->bytes = 14;
    memcpy(l->area->data, "fuzz.exe\0fuzz", 14);
    if (send(l->fd, &byte, 1, MSG_NOSIGNAL) == 1)
        recv(l->fd, &byte, 1, 0);
}

static long futex(_Atomic uint32_t *word, int what, uint32_t value, const struct timespec *patience)
{
    return syscall(SYS_futex, word, what, value, patience, NULL, 0);
}

/* A call past the server. */
static void one_call(const struct line *l)
{
    static const struct timespec patience = {.tv_nsec = 20000000};
    scramble(l->area, any() % 4);
    atomic_store(&l->area->state, any() % 8 ? CLIENT_POSTED : (uint32_t)some());
    atomic_fetch_or(&l->board->posted[l->index / 64], 1ull << l->index % 64);
    if (any() % 8 == 0) /* others' bits: at most they are looked at for nothing */
        atomic_fetch_or(&l->board->posted[any() % (DOOR_GUESTS / 64)], any());
    atomic_fetch_add(&l->board->bell, any() % 8 ? 1 : (uint32_t)any());
    futex(&l->board->bell, FUTEX_WAKE, 1, NULL);
    if (any() % 4 == 0)
        scramble(l->area, 0); /* while it is carried out */
    if (any() % 8)            /* else the next one before the reply */
        futex(&l->area->state, FUTEX_WAIT, CLIENT_POSTED, &patience);
}

/* False: the server has hung up, as it should on what is no request. */
static int one_message(const struct line *l)
{
    static const char requests[] = {CLIENT_ATTACH, CLIENT_END, 'c', 'r', 0, 'x'};
    char bytes[64];
    size_t count = any() % 8 ? 1 : any() % sizeof bytes;
    if (any() % 4) {
        one_call(l);
        return atomic_load(&l->area->state) != CLIENT_GONE;
    }
    scramble(l->area, any() % 4);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (char)any();
    if (any() % 16)
        bytes[0] = requests[any() % sizeof requests];
    if (send(l->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return 0;
    if (any() % 8 == 0)
        return 1; /* the next one before the reply */
    struct pollfd wait = {.fd = l->fd, .events = POLLIN};
    poll(&wait, 1, any() % 4 ? 20 : 0);
    return recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT) != 0;
}

int main(int argc, char **argv)
{
    unsigned connections = argc > 2 ? (unsigned)atoi(argv[2]) : 100;
    state = 0x9e3779b97f4a7c15ull * (argc > 1 ? strtoull(argv[1], NULL, 0) + 1 : 1);
    for (unsigned i = 0; i < connections; i++) {
        struct line l;
        dial(&l);
        if (any() % 8)
            attach(&l);
        for (unsigned n = any() % 12; n && one_message(&l); n--)
            ;
        close(l.fd);
        munmap(l.board, sizeof *l.board);
        munmap(l.area, sizeof *l.area);
    }
    HANDLE event = CreateEventA(NULL, FALSE, TRUE, NULL);
    if (!event || WaitForSingleObject(event, 0) != WAIT_OBJECT_0) {
        printf("fuzz: afterwards nothing works: %u\n", GetLastError());
        return 1;
    }
    printf("fuzz: %u connections, and it still works\n", connections);
    return 0;
}
