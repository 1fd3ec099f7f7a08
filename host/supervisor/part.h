/*
 * What the supervisor's files share: one machine as seen from outside.
 */
#pragma once

#include <sys/types.h>

#include "machine/channel.h"
#include "supervisor/supervisor.h"
#include "supervisor/volume.h"

/* disk.c: sectors written since the snapshot, in a hash table. */
struct disk_overlay {
    struct overlay_entry {
        bool used;
        uint64_t sector;
        uint8_t bytes[CHANNEL_SECTOR];
    } *entry;
    uint32_t room, count;
};

struct supervisor {
    pid_t pid; /* 0 = gone */
    int wake, channel_fd, images_fd, ram_fd, record_fd, disk_fd;
    struct channel *channel;
    struct channel_directory *directory; /* written by us alone */
    uint64_t images_end;
    uint64_t tail; /* ours; the channel's copy is only for the worker */
    supervisor_event_fn *sink;
    void *context;
    struct volume *volume;
    struct disk_overlay overlay;
    bool disk_marked;
    bool own_volume, debugger, asked, ended, end_sent;
    bool snapshot; /* there is one */
    bool halted;   /* the machine has ended, the worker waits: back to the snapshot, or never */
    struct {
        uint32_t images;
        uint64_t images_end;
    } then; /* at the snapshot */
    char volume_path[64];
    struct supervisor_end end;

    /* guard.c: signs of life */
    uint64_t progress, quiet_cpu, last_cpu, idle_polls, watchdog_ns;

    uint8_t event[CHANNEL_EVENT + sizeof(struct door_finding)] __attribute__((aligned(8)));
};

/* spawn.c: the memory files; then the process */
bool spawn_prepare(struct supervisor *s, char why[256]);
bool spawn_worker(struct supervisor *s, char why[256]);

/* disk.c */
bool disk_open(struct supervisor *s, const char *path, bool read_only, char why[256]); /* path NULL = no disk */
void disk_serve(struct supervisor *s);
void disk_mark(struct supervisor *s); /* the way back leads here */
void disk_back(struct supervisor *s);

/* record.c: hand all complete events to the sink; false = the ring makes no sense */
bool record_drain(struct supervisor *s);

/* guard.c */
void guard_reset(struct supervisor *s);
/* Called now and then while the worker does not ask for anything; a reason to kill it, or NULL. */
const char *guard_check(struct supervisor *s);
