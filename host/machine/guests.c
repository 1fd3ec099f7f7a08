/*
 * The worker's end of client.h: calls that programs of the host post, carried out between the supervisor's commands and
 * without it, since each process on a call's way costs two switches. A call that can't be done at once stays with the kernel
 * and the supervisor is told: it decides when virtual time goes on.
 *
 * The board lies at a multiple of 4 GiB, so that the filter on system calls can tell it by half an address; where a connection
 * posts, in the memory of its process (share.c), the supervisor says.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "client.h"
#include "sandbox/syscall.h"

enum { WORDS = DOOR_GUESTS / 64 };

static struct client_board *board; /* NULL = no programs */
static uint64_t heard[WORDS];      /* posted, not looked at yet */
static uint64_t waiting[WORDS];    /* calls that were not done at once */
static unsigned turn;              /* the one to look at next: all get theirs */
static int current = -1;           /* whose call the kernel carries out; -1 = a command of the supervisor's */
static bool news;                  /* for the supervisor */
static uint64_t told;              /* of the record */

static const uint64_t block = 1ull << 32;

bool guests_attach(void)
{
    uint8_t *at = mmap(NULL, 2 * block, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return false;
    board = (void *)(((uint64_t)at + block - 1) & ~(block - 1));
    return mmap(board, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, CHANNEL_FD_BOARD, 0) == board;
}

uint64_t guests_board(void)
{
    return (uint64_t)board;
}

static struct client_area *area_of(unsigned guest)
{
    return (struct client_area *)(DOOR_LINEAR_BASE + DOOR_SHARE_PA + atomic_load(&channel->guest[guest].area));
}

static struct door_call *call_of(unsigned guest)
{
    return &channel->user.call[DOOR_CALLS + guest];
}

static void set_state(unsigned guest, enum channel_guest_state state)
{
    atomic_store_explicit(&channel->guest[guest].state, state, memory_order_release);
}

/* ---- Replies ----------------------------------------------------------------------------------------------------- */

static void reply(unsigned guest)
{
    struct client_area *area = area_of(guest);
    uint32_t posted = CLIENT_POSTED;

    area->status = call_of(guest)->status;
    set_state(guest, CHANNEL_GUEST_QUIET);
    if (atomic_compare_exchange_strong(&area->state, &posted, CLIENT_DONE))
        sandbox_syscall(SYS_futex, (long)&area->state, FUTEX_WAKE, 1, 0, 0, 0);
}

static bool is_done(unsigned guest)
{
    return __atomic_load_n(&call_of(guest)->state, __ATOMIC_ACQUIRE) == DOOR_CALL_DONE;
}

/* The kernel has come back from the call that was made last. */
static void finish_current(void)
{
    unsigned guest = (unsigned)current;

    current = -1;
    if (is_done(guest)) {
        reply(guest);
        return;
    }
    waiting[guest / 64] |= 1ull << guest % 64;
    set_state(guest, CHANNEL_GUEST_WAITS);
    news = true;
}

static void reply_to_waiting(void)
{
    for (unsigned word = 0; word < WORDS; word++)
        for (uint64_t left = waiting[word]; left; left &= left - 1) {
            unsigned guest = word * 64 + (unsigned)__builtin_ctzll(left);
            if (!is_done(guest))
                continue;
            waiting[word] &= ~(1ull << guest % 64);
            reply(guest);
            news = true;
        }
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

/* Copied first: the program may write to it at any time. False: it is no call. */
static bool read_call(unsigned guest, struct door_call *c)
{
    struct client_call given = *(const volatile struct client_call *)&area_of(guest)->call;

    if (given.service >= DOOR_SERVICE_COUNT)
        return false;
    c->kind = DOOR_CALL_SERVICE;
    c->service = given.service;
    c->data = c->bytes = 0;
    c->copies = c->apcs = 0;
    __builtin_memcpy(c->argument, given.argument, sizeof(c->argument));
    return true;
}

/* Has this one posted a call that can be made? */
static bool take(unsigned guest, struct door_command *command)
{
    struct channel_guest *known = &channel->guest[guest];
    struct door_call *c = call_of(guest);
    uint32_t process = atomic_load(&known->process);

    if (!process || atomic_load(&known->broken) || atomic_load(&known->state) != CHANNEL_GUEST_QUIET ||
        atomic_load_explicit(&area_of(guest)->state, memory_order_acquire) != CLIENT_POSTED)
        return false;
    if (!read_call(guest, c)) {
        atomic_store(&known->broken, 1);
        news = true;
        return false;
    }
    c->process = process;
    c->thread = atomic_load(&known->thread);
    c->state = DOOR_CALL_POSTED;
    set_state(guest, CHANNEL_GUEST_BUSY);
    atomic_fetch_add_explicit(&channel->guest_calls, 1, memory_order_relaxed);
    *command = (struct door_command){.code = DOOR_COMMAND_CALL, .value = DOOR_CALLS + guest, .limit = 1};
    current = (int)guest;
    return true;
}

static bool take_next(struct door_command *command)
{
    for (unsigned word = 0; word < WORDS; word++)
        if (atomic_load_explicit(&board->posted[word], memory_order_relaxed))
            heard[word] |= atomic_exchange(&board->posted[word], 0);
    for (unsigned i = 0; i <= WORDS; i++) { /* the first word twice: what lies before turn in it comes last */
        unsigned word = (turn / 64 + i) % WORDS;
        uint64_t left = heard[word];
        if (i == 0)
            left &= ~0ull << turn % 64;
        for (; left; left &= left - 1) {
            unsigned guest = word * 64 + (unsigned)__builtin_ctzll(left);
            heard[word] &= ~(1ull << guest % 64);
            turn = (guest + 1) % DOOR_GUESTS;
            if (take(guest, command))
                return true;
        }
    }
    return false;
}

void guests_next(struct door_command *command)
{
    bool asks = current < 0;

    if (!asks)
        finish_current();
    reply_to_waiting();
    if (asks) {
        share_sweep();
        channel->command = *command;
        told = atomic_load_explicit(&channel->head, memory_order_relaxed);
        news = false;
        channel_tell_ready();
    }
    for (;;) {
        uint32_t bell = atomic_load(&board->bell);
        if (atomic_exchange(&channel->answered, 0)) {
            *command = channel->command;
            return;
        }
        if (take_next(command))
            return;
        uint64_t head = atomic_load_explicit(&channel->head, memory_order_relaxed);
        if (news || head != told) {
            news = false;
            told = head;
            channel_tell_news();
        }
        atomic_store(&channel->resting, 1);
        sandbox_syscall(SYS_futex, (long)&board->bell, FUTEX_WAIT, (long)bell, 0, 0, 0);
        atomic_store(&channel->resting, 0);
    }
}
