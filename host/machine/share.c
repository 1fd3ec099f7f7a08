/*
 * Memory that a program of the host shares with its process in the machine: a file for each such process, mapped as a whole in
 * its slot of the linear view. It comes from the supervisor over a socket, is the program's and nobody else's, and goes when the
 * kernel has no more use for it and no call of the program's is under way.
 *
 * Descriptors are left open: second views of the pages (MDLs, windows) are mapped from them.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/syscall.h"

static struct {
    int fd; /* 0 = none */
    bool gone;
} slot[DOOR_SHARES];
static unsigned leaving; /* slots that the kernel has given up */

static uint64_t linear_of(uint32_t number)
{
    return DOOR_LINEAR_BASE + DOOR_SHARE_PA + number * DOOR_SHARE_BYTES;
}

static void close_file(int fd)
{
    sandbox_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* One message with its file; -1: there is none. */
static int receive(uint32_t *number)
{
    struct channel_share message = {DOOR_SHARES};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    struct iovec part = {&message, sizeof(message)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *first;
    int fd = -1;

    if (sandbox_syscall(SYS_recvmsg, CHANNEL_FD_FILES, (long)&header, MSG_DONTWAIT, 0, 0, 0) != sizeof(message))
        return -1;
    first = CMSG_FIRSTHDR(&header);
    if (first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(first), sizeof(fd));
    *number = message.slot;
    return fd;
}

/* A launch that has failed before it came to this has left its file in the socket. */
static int take_file(uint32_t number)
{
    uint32_t got = DOOR_SHARES;
    int fd;

    while ((fd = receive(&got)) >= 0 && got != number)
        close_file(fd);
    return fd;
}

int share_open(uint32_t number, uint32_t on)
{
    uint64_t at = linear_of(number);
    int fd;

    if (number >= DOOR_SHARES)
        return DOOR_NOT_FOUND;
    if (!on) {
        if (slot[number].fd && !slot[number].gone) {
            slot[number].gone = true;
            leaving++;
        }
        return DOOR_OK;
    }
    share_sweep();
    if (slot[number].fd || (fd = take_file(number)) < 0)
        return DOOR_NOT_FOUND;
    if ((uint64_t)sandbox_syscall(SYS_mmap, (long)at, DOOR_SHARE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                                  fd, 0) != at) {
        close_file(fd);
        return DOOR_NO_MEMORY;
    }
    slot[number].fd = fd;
    atomic_store(&channel->share[number], 1);
    return DOOR_OK;
}

static bool has_call(uint32_t number)
{
    for (unsigned i = 0; i < DOOR_GUESTS; i++)
        if (atomic_load(&channel->guest[i].area) / DOOR_SHARE_BYTES == number &&
            (atomic_load(&channel->guest[i].process) || atomic_load(&channel->guest[i].state) != CHANNEL_GUEST_QUIET))
            return true;
    return false;
}

void share_sweep(void)
{
    for (uint32_t i = 0; leaving && i < DOOR_SHARES; i++) {
        if (!slot[i].gone || has_call(i))
            continue;
        sandbox_syscall(SYS_munmap, (long)linear_of(i), DOOR_SHARE_BYTES, 0, 0, 0, 0);
        close_file(slot[i].fd);
        slot[i].fd = 0;
        slot[i].gone = false;
        leaving--;
        atomic_store(&channel->share[i], 0);
    }
}

int share_file(uint64_t *pa, uint64_t bytes)
{
    uint64_t number = (*pa - DOOR_SHARE_PA) / DOOR_SHARE_BYTES, offset = (*pa - DOOR_SHARE_PA) % DOOR_SHARE_BYTES;

    if (*pa < DOOR_SHARE_PA || number >= DOOR_SHARES || !slot[number].fd || bytes > DOOR_SHARE_BYTES - offset)
        return -1;
    *pa = offset;
    return slot[number].fd;
}
