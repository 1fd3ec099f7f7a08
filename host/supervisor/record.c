/*
 * Reading the event record. Each event is copied out of the shared ring before it is looked at, so what was checked is
 * what is used. Texts are terminated, counts cut to what the structures hold.
 */
#include "supervisor/part.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void ring_get(const struct supervisor *s, uint64_t at, void *to, size_t bytes)
{
    const uint8_t *ring = s->channel->ring;
    size_t place = at % CHANNEL_RING;
    size_t first = bytes < CHANNEL_RING - place ? bytes : CHANNEL_RING - place;

    memcpy(to, ring + place, first);
    memcpy((uint8_t *)to + first, ring, bytes - first);
}

#define TERMINATE(text) ((text)[sizeof(text) - 1] = 0)

/* A finding ends with the notes it has; what is not there is zero for the reader. */
static bool clean_finding(struct door_finding *finding, uint32_t bytes)
{
    if (bytes < offsetof(struct door_finding, note) || bytes > sizeof(*finding))
        return false;
    memset((uint8_t *)finding + bytes, 0, sizeof(*finding) - bytes);
    TERMINATE(finding->rule);
    TERMINATE(finding->subject);
    TERMINATE(finding->text);
    if (finding->notes > DOOR_NOTES)
        finding->notes = DOOR_NOTES;
    for (uint32_t i = 0; i < DOOR_NOTES; i++) {
        TERMINATE(finding->note[i].text);
        TERMINATE(finding->note[i].origin);
        if (finding->note[i].frames > DOOR_FRAMES)
            finding->note[i].frames = DOOR_FRAMES;
    }
    return true;
}

static bool clean(struct door_event *event, void *payload)
{
    switch (event->type) {
    case DOOR_EVENT_PRINT:
    case DOOR_EVENT_NOTE:
    case DOOR_EVENT_MISSING:
        return true;
    case DOOR_EVENT_IMAGE:
    case DOOR_EVENT_UNIMAGE:
        TERMINATE(((struct door_event_image *)payload)->name);
        return event->payload == sizeof(struct door_event_image);
    case DOOR_EVENT_IO:
        TERMINATE(((struct door_event_io *)payload)->driver);
        TERMINATE(((struct door_event_io *)payload)->device);
        return event->payload == sizeof(struct door_event_io);
    case DOOR_EVENT_ETW:
        return event->payload >= sizeof(struct door_event_etw) &&
               ((struct door_event_etw *)payload)->bytes == event->payload - sizeof(struct door_event_etw);
    case DOOR_EVENT_FINDING:
    case DOOR_EVENT_STOP:
    case DOOR_EVENT_IGNORED:
        return clean_finding(payload, event->payload);
    case DOOR_EVENT_WMI:
        return event->payload == sizeof(struct door_event_wmi);
    }
    return false;
}

/* The raw record that was asked for. What cannot be written is told at the end; the run goes on without. */
static void keep(struct supervisor *s, const void *bytes, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t n = write(s->record_fd, (const uint8_t *)bytes + done, count - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            s->end.record_error = errno;
            close(s->record_fd);
            s->record_fd = -1;
            return;
        }
        done += (size_t)n;
    }
}

static bool drain_one(struct supervisor *s, uint64_t available)
{
    struct door_event *event = (struct door_event *)s->event;

    if (available < sizeof(*event))
        return false;
    ring_get(s, s->tail, event, sizeof(*event));
    if (event->bytes < sizeof(*event) || event->bytes % 8 || event->bytes > CHANNEL_EVENT || event->bytes > available ||
        event->payload > event->bytes - sizeof(*event))
        return false;
    ring_get(s, s->tail + sizeof(*event), event + 1, event->bytes - sizeof(*event));
    if (s->record_fd >= 0)
        keep(s, event, event->bytes);
    s->tail += event->bytes;
    atomic_store_explicit(&s->channel->tail, s->tail, memory_order_release);
    if (!clean(event, event + 1))
        return false;
    s->sink(s->context, event, event + 1);
    return true;
}

bool record_drain(struct supervisor *s)
{
    uint64_t head = atomic_load_explicit(&s->channel->head, memory_order_acquire);

    if (head - s->tail > CHANNEL_RING)
        return false;
    while (s->tail != head)
        if (!drain_one(s, head - s->tail))
            return false;
    return true;
}
