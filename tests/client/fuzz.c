/*
 * A program that sends the server garbage: connections without a word, messages of any bytes and lengths, requests whose every
 * field is random, memory changed while a request is carried out. Whatever happens to it, the server goes on: at the end an
 * ordinary request works. Argument: seed and number of connections.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

static int dial(struct client_area **area)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), memory = -1;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv(CLIENT_ENVIRONMENT));
    *area = MAP_FAILED;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) || recvmsg(fd, &message, 0) != 1) {
        perror("fuzz: the server does not take connections");
        exit(1);
    }
    memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof memory);
    if (!ftruncate(memory, 0)) {
        puts("fuzz: the memory's size can be changed");
        exit(1);
    }
    *area = mmap(NULL, sizeof **area, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    close(memory);
    return fd;
}

static void scramble(struct client_area *a, int proper)
{
    a->kind = any() % 4 ? DOOR_CALL_SERVICE : (uint32_t)some();
    a->service = any() % 8 ? (uint32_t)(any() % DOOR_SERVICE_COUNT) : (uint32_t)some();
    a->bytes = any() % 2 ? any() % 65536 : some();
    a->copies = any() % 4 ? (uint32_t)(any() % DOOR_CALL_COPIES) : (uint32_t)some();
    for (int i = 0; i < DOOR_CALL_ARGUMENTS; i++)
        a->argument[i] = any() % 3 ? some() : a->stack + any() % DOOR_USER_STACK;
    for (int i = 0; i < DOOR_CALL_COPIES; i++)
        a->copy[i] = (struct door_copy){.address = any() % 2 ? a->stack + any() % DOOR_USER_STACK : some(),
                                        .offset = (uint32_t)some(),
                                        .bytes = (uint32_t)(any() % 2 ? any() % 256 : some()),
                                        .when = (uint32_t)(any() % 5)};
    if (!proper) {
        a->process = (uint32_t)some();
        a->wow64 = (uint32_t)some();
    }
}

static void attach(int fd, struct client_area *a)
{
    char byte = CLIENT_ATTACH;
    a->process = 0;
    a->bytes = 14;
    memcpy(a->data, "fuzz.exe\0fuzz", 14);
    if (send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
        recv(fd, &byte, 1, 0);
}

/* False: the server has hung up, as it should on what is no request. */
static int one_message(int fd, struct client_area *a)
{
    static const char requests[] = {CLIENT_CALL, CLIENT_CALL, CLIENT_CALL, CLIENT_ATTACH, CLIENT_END, 'r', 0, 'x'};
    char bytes[64];
    size_t count = any() % 8 ? 1 : any() % sizeof bytes;
    scramble(a, any() % 4);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (char)any();
    if (any() % 16)
        bytes[0] = requests[any() % sizeof requests];
    if (send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return 0;
    if (any() % 4 == 0)
        scramble(a, 0); /* while it is carried out */
    if (any() % 8 == 0)
        return 1; /* the next one before the reply */
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    poll(&wait, 1, any() % 4 ? 20 : 0);
    return recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) != 0;
}

int main(int argc, char **argv)
{
    unsigned connections = argc > 2 ? (unsigned)atoi(argv[2]) : 100;
    state = 0x9e3779b97f4a7c15ull * (argc > 1 ? strtoull(argv[1], NULL, 0) + 1 : 1);
    for (unsigned i = 0; i < connections; i++) {
        struct client_area *area;
        int fd = dial(&area);
        if (any() % 8)
            attach(fd, area);
        for (unsigned n = any() % 12; n && one_message(fd, area); n--)
            ;
        close(fd);
        munmap(area, sizeof *area);
    }
    HANDLE event = CreateEventA(NULL, FALSE, TRUE, NULL);
    if (!event || WaitForSingleObject(event, 0) != WAIT_OBJECT_0) {
        printf("fuzz: afterwards nothing works: %u\n", GetLastError());
        return 1;
    }
    printf("fuzz: %u connections, and it still works\n", connections);
    return 0;
}
