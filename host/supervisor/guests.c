/* What is shared with programs of the host: the board and their memory. See client.h, machine/guests.c and machine/share.c. */
#define _GNU_SOURCE
#include "supervisor/part.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

/* Of a size that nobody can change under us. */
static int sealed_file(const char *name, uint64_t bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && !ftruncate(fd, (off_t)bytes) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void *map(int fd, uint64_t bytes)
{
    void *at = fd >= 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0) : MAP_FAILED;

    return at == MAP_FAILED ? NULL : at;
}

bool guests_open(struct supervisor *s, char why[256])
{
    s->board_fd = sealed_file("irqlab-board", sizeof(*s->board));
    s->board = map(s->board_fd, sizeof(*s->board));
    if (s->board && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->files))
        return true;
    snprintf(why, 256, "cannot make the memory of programs: %s", strerror(errno));
    return false;
}

void guests_close(struct supervisor *s)
{
    int all[] = {s->board_fd, s->files[0], s->files[1]};

    if (s->board)
        munmap(s->board, sizeof(*s->board));
    for (int i = 0; i < 3; i++)
        if (all[i] >= 0)
            close(all[i]);
    s->board = NULL;
}

/* ---- The memory of a program ------------------------------------------------------------------------------------- */

static bool hand_over(const struct supervisor *s, const struct supervisor_share *share)
{
    struct channel_share message = {share->slot};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {0};
    struct iovec part = {&message, sizeof(message)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *first = CMSG_FIRSTHDR(&header);

    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(share->fd));
    memcpy(CMSG_DATA(first), &share->fd, sizeof(share->fd));
    return sendmsg(s->files[0], &header, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(message);
}

/* A slot is free when neither we nor the worker has it; what the worker says of that can only harm itself. */
bool supervisor_share(struct supervisor *s, struct supervisor_share *share)
{
    *share = (struct supervisor_share){.fd = -1};
    while (share->slot < DOOR_SHARES &&
           (s->shared[share->slot / 64] >> share->slot % 64 & 1 || atomic_load(&s->channel->share[share->slot])))
        share->slot++;
    if (share->slot == DOOR_SHARES)
        return false;
    s->shared[share->slot / 64] |= 1ull << share->slot % 64;
    share->fd = sealed_file("irqlab-program", DOOR_SHARE_BYTES);
    share->memory = map(share->fd, DOOR_SHARE_BYTES);
    if (share->memory && hand_over(s, share))
        return true;
    supervisor_share_close(s, share);
    return false;
}

void supervisor_share_close(struct supervisor *s, struct supervisor_share *share)
{
    if (share->memory)
        munmap(share->memory, DOOR_SHARE_BYTES);
    if (share->fd >= 0)
        close(share->fd);
    s->shared[share->slot / 64] &= ~(1ull << share->slot % 64);
    *share = (struct supervisor_share){.fd = -1};
}

int supervisor_board(const struct supervisor *s)
{
    return s->board_fd;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static void wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void ring(struct supervisor *s)
{
    atomic_fetch_add(&s->board->bell, 1);
    wake(&s->board->bell);
}

void guests_answer(struct supervisor *s)
{
    atomic_store(&s->channel->answered, 1);
    ring(s);
}

bool guests_posted(struct supervisor *s)
{
    uint64_t bits = 0;

    for (unsigned i = 0; s->board && i < DOOR_GUESTS / 64; i++)
        bits |= atomic_load(&s->board->posted[i]);
    if (bits)
        ring(s);
    return bits != 0;
}

void supervisor_assign(struct supervisor *s, uint32_t guest, uint32_t process, uint32_t thread, uint64_t area)
{
    struct channel_guest *g = &s->channel->guest[guest];

    atomic_store(&g->broken, 0);
    if (process)
        atomic_store(&g->area, area);
    atomic_store(&g->thread, thread);
    atomic_store(&g->process, process);
}

enum supervisor_guest supervisor_guest(const struct supervisor *s, uint32_t guest)
{
    struct channel_guest *g = &s->channel->guest[guest];

    if (atomic_load(&g->process) && atomic_load(&g->broken))
        return SUPERVISOR_GUEST_BROKEN;
    switch (atomic_load_explicit(&g->state, memory_order_acquire)) {
    case CHANNEL_GUEST_QUIET:
        return SUPERVISOR_GUEST_QUIET;
    case CHANNEL_GUEST_WAITS:
        return SUPERVISOR_GUEST_WAITS;
    default:
        return SUPERVISOR_GUEST_BUSY;
    }
}

uint32_t supervisor_guest_calls(const struct supervisor *s)
{
    return atomic_load_explicit(&s->channel->guest_calls, memory_order_relaxed);
}

void supervisor_hang_up(struct client_area *area)
{
    atomic_store(&area->state, CLIENT_GONE);
    wake(&area->state);
}
