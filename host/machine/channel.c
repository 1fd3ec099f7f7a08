/*
 * The worker's end of the channel: the event ring, requests, the end.
 *
 * A record that does not fit waits until the supervisor has made room. The supervisor is woken for events alone when a
 * quarter of the ring has filled since the last time; otherwise it looks by itself now and then.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "sandbox/syscall.h"

struct channel *channel;
const struct channel_directory *channel_images;
static uint64_t channel_woken; /* ring position at the last wake-up */

bool channel_attach(void)
{
    channel = mmap(NULL, sizeof(*channel), PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_FD_CHANNEL, 0);
    if (channel == MAP_FAILED)
        return false;
    if (channel->machine.guests && !guests_attach())
        return false;
    channel_images = mmap(NULL, CHANNEL_IMAGES_BYTES, PROT_READ, MAP_SHARED, CHANNEL_FD_IMAGES, 0);
    if (channel_images == MAP_FAILED)
        machine_halt(DOOR_HALT_INTERNAL, "no address space for the images file");
    close(CHANNEL_FD_CHANNEL);
    close(CHANNEL_FD_IMAGES);
    if (channel->machine.guests)
        close(CHANNEL_FD_BOARD);
    return true;
}

static void wake(char byte)
{
    sandbox_syscall(SYS_write, CHANNEL_FD_WAKE, (long)&byte, 1, 0, 0, 0);
}

void channel_tell(enum channel_request request)
{
    channel->request = request;
    atomic_thread_fence(memory_order_release);
    wake('r');
}

void channel_tell_news(void)
{
    channel_woken = atomic_load_explicit(&channel->head, memory_order_relaxed);
    wake('e');
}

void channel_tell_ready(void)
{
    atomic_thread_fence(memory_order_release);
    wake('c');
}

void channel_ask(enum channel_request request)
{
    char byte;

    channel_tell(request);
    if (sandbox_syscall(SYS_read, CHANNEL_FD_WAKE, (long)&byte, 1, 0, 0, 0) != 1)
        sandbox_syscall(SYS_exit_group, 71, 0, 0, 0, 0, 0);
    atomic_thread_fence(memory_order_acquire);
}

static void ring_put(uint64_t at, const void *from, size_t bytes)
{
    size_t place = at % CHANNEL_RING;
    size_t first = bytes < CHANNEL_RING - place ? bytes : CHANNEL_RING - place;

    memcpy(channel->ring + place, from, first);
    memcpy(channel->ring, (const uint8_t *)from + first, bytes - first);
}

void channel_record(const struct door_event *event, const void *payload)
{
    struct door_event header = *event;
    uint64_t head;

    if (header.payload > CHANNEL_EVENT - sizeof(header))
        header.payload = CHANNEL_EVENT - sizeof(header);
    header.bytes = (uint32_t)(sizeof(header) + ((header.payload + 7) & ~7u));
    /* A fault while the payload is copied may record on its own; so the place is taken only after the copy. */
    for (;;) {
        head = atomic_load_explicit(&channel->head, memory_order_relaxed);
        if (head + header.bytes - atomic_load_explicit(&channel->tail, memory_order_acquire) > CHANNEL_RING) {
            channel_ask(CHANNEL_DRAIN);
            continue;
        }
        ring_put(head + sizeof(header), payload, header.payload);
        if (head == atomic_load_explicit(&channel->head, memory_order_relaxed))
            break;
    }
    ring_put(head, &header, sizeof(header));
    atomic_store_explicit(&channel->head, head + header.bytes, memory_order_release);
    if (head + header.bytes - channel_woken > CHANNEL_RING / 4) {
        channel_woken = head + header.bytes;
        wake('e');
    }
}

void machine_halt(enum door_halt how, const char *why)
{
    channel->halt = how;
    text_copy(channel->why, sizeof(channel->why), why);
    channel_tell(CHANNEL_HALT);
    for (;;)
        sandbox_syscall(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

void machine_internal(const char *format, uint64_t a, uint64_t b, uint64_t c)
{
    char why[256];

    text_format(why, sizeof(why), format, a, b, c);
    machine_halt(DOOR_HALT_INTERNAL, why);
}

void machine_wrecked(const char *what, uint64_t at, uint64_t address)
{
    if (machine.drivers)
        machine_halt(DOOR_HALT_WRECKED, what);
    machine_internal("%s at %X, address %X", (uint64_t)what, at, address);
}
