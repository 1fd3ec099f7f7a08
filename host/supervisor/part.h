/*
 * What the supervisor's files share: one machine as seen from outside.
 */
#pragma once

#include <sys/types.h>

#include "machine/channel.h"
#include "supervisor/supervisor.h"
#include "supervisor/volume.h"

struct supervisor {
    pid_t pid; /* 0 = gone */
    int wake, channel_fd, images_fd, ram_fd, board_fd, record_fd, disk_fd;
    struct {
        int fd;          /* of the sectors written; -1 = they are written to the disk itself */
        uint64_t *there; /* bit map: which */
        uint64_t words;
        bool before, since; /* some were before the mark; since */
    } scratch;
    struct channel *channel;
    struct channel_directory *directory; /* written by us alone */
    struct client_board *board;          /* the guests'; NULL = there may be none */
    int files[2];                        /* over which their memory goes to the worker: ours, its */
    uint64_t shared[DOOR_SHARES / 64];   /* slots that somebody here has */
    uint64_t images_end;
    uint64_t tail; /* ours; the channel's copy is only for the worker */
    supervisor_event_fn *sink;
    void *context;
    struct volume *volume;
    bool own_volume, debugger, asked, ended, end_sent;
    bool snapshot; /* there is one */
    bool halted;   /* the machine has ended, the worker waits: back to the snapshot, or never */
    struct {
        uint32_t images;
        uint64_t images_end;
    } then; /* at the snapshot */
    char volume_path[4096];
    struct supervisor_end end;

    /* guard.c: signs of life */
    bool answered; /* since the guard looked last */
    uint64_t progress, quiet_cpu, last_cpu, idle_polls, watchdog_ns;

    uint8_t event[CHANNEL_EVENT + sizeof(struct door_finding)] __attribute__((aligned(8)));
};

/* spawn.c: the memory files; then the process */
bool spawn_prepare(struct supervisor *s, char why[256]);
bool spawn_worker(struct supervisor *s, char why[256]);

/* guests.c */
bool guests_open(struct supervisor *s, char why[256]);
void guests_close(struct supervisor *s);
void guests_answer(struct supervisor *s); /* the next command is there */
bool guests_posted(struct supervisor *s); /* bits that the worker has not taken; then it is rung */

/* disk.c */
/* path NULL = no disk; scratch: what is written is kept beside it, in memory. */
bool disk_open(struct supervisor *s, const char *path, bool read_only, bool scratch, char why[256]);
void disk_serve(struct supervisor *s);
void disk_close(struct supervisor *s);
/* For snapshots: the disk is as it was at the mark again; false when it can't be. */
void disk_mark(struct supervisor *s);
bool disk_back(struct supervisor *s);

/* record.c: hand all complete events to the sink; false = the ring makes no sense */
bool record_drain(struct supervisor *s);

/* guard.c */
void guard_reset(struct supervisor *s);
/* Called now and then while the worker does not ask for anything; a reason to kill it, or NULL. */
const char *guard_check(struct supervisor *s);
