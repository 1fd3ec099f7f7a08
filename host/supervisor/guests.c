/* The memory shared with programs of the host, and what of it concerns us: see client.h and machine/guests.c. */
#define _GNU_SOURCE
#include "supervisor/part.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

/* Of a size that nobody can change under us. */
bool guests_open(struct supervisor *s, char why[256])
{
    void *at = MAP_FAILED;

    s->guests_fd = memfd_create("irqlab-guests", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->guests_fd >= 0 && !ftruncate(s->guests_fd, CLIENT_FILE_BYTES) &&
        !fcntl(s->guests_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        at = mmap(NULL, CLIENT_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->guests_fd, 0);
    if (at == MAP_FAILED) {
        snprintf(why, 256, "cannot make the memory of programs: %s", strerror(errno));
        return false;
    }
    s->board = at;
    return true;
}

void guests_close(struct supervisor *s)
{
    if (s->board)
        munmap(s->board, CLIENT_FILE_BYTES);
    if (s->guests_fd >= 0)
        close(s->guests_fd);
    s->board = NULL;
}

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

struct client_area *supervisor_area(struct supervisor *s, uint32_t guest)
{
    return (struct client_area *)((uint8_t *)s->board + CLIENT_AREA_OFFSET(guest));
}

int supervisor_guests_file(const struct supervisor *s)
{
    return s->guests_fd;
}

void supervisor_assign(struct supervisor *s, uint32_t guest, uint32_t process, uint32_t thread)
{
    struct channel_guest *g = &s->channel->guest[guest];

    atomic_store(&g->broken, 0);
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

void supervisor_hang_up(struct supervisor *s, uint32_t guest)
{
    struct client_area *area = supervisor_area(s, guest);

    atomic_store(&area->state, CLIENT_GONE);
    wake(&area->state);
}

void supervisor_clear(struct supervisor *s, uint32_t guest)
{
    fallocate(s->guests_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)CLIENT_AREA_OFFSET((uint64_t)guest),
              sizeof(struct client_area));
}
