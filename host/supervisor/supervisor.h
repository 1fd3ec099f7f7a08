/*
 * The supervisor: starts a machine in a sandboxed worker process, serves its volumes, sends it commands, and reads its
 * event record. It trusts nothing the worker says: every size and index from the record or a request is checked, and
 * whatever happens to the worker (crash, kill, endless loop), the events recorded until then are delivered.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "door.h"

struct supervisor_options {
    uint32_t processors; /* 1..DOOR_PROCESSORS */
    uint64_t ram_bytes;
    uint64_t seed;
    bool stop_on_finding;
    bool free_build; /* what a free build of Windows does not look at is a remark */
    bool special_pool;
    bool force_integrity; /* see struct door */
    bool dry_run;
    bool points;          /* accesses of drivers to memory are delivery points */
    uint32_t races;       /* enum door_races */
    uint32_t trace_level; /* events of drivers' providers are recorded up to this level; 0 = none */
    bool trace_io;        /* each step of a request is recorded */
    uint32_t benigns;     /* places they are not reported of */
    struct door_benign benign[DOOR_BENIGN];
    uint32_t os_major, os_minor, os_build;
    const char *kernel_dir; /* where ntoskrnl.exe and hal.dll lie */
    const char *volume_dir; /* host directory that is C:, NULL = an empty one made and removed by the supervisor */
    bool scratch;           /* changes of volume and disk do not stay: it gets copies */
    const char *disk_path;  /* image file of the disk, NULL = no disk */
    bool disk_read_only;
    const char *record_path; /* write the raw event record here as well, NULL = don't */
    uint32_t watchdog_ms;    /* CPU time without a delivery point before the watchdog stops the machine; 0 = 2000 */
    bool snapshots;          /* supervisor_snapshot will be called */
    bool guests;             /* programs of the host will be its processes */
    bool debugger;           /* no watchdog, no limits that get into a debugger's way */
};

/* Called in order, once for each event, as soon as it is read. Payload is valid during the call. */
typedef void supervisor_event_fn(void *context, const struct door_event *event, const void *payload);

struct supervisor; /* one machine */
struct client_area;

/* The file names of the kernel's modules, in the order in which they are loaded; NULL at the end. */
extern const char *const supervisor_modules[];

/* Start a machine and wait until its kernel asks for the first command. On failure NULL, and one line in why. */
struct supervisor *supervisor_start(const struct supervisor_options *options, supervisor_event_fn *sink, void *context,
                                    char why[256]);

/* Make the bytes of an image file known under a name ("stuck.sys"), for DOOR_COMMAND_LOAD. Keeps the pointer. */
bool supervisor_offer(struct supervisor *s, const char *name, const void *bytes, size_t size);

/* Send a command, serve the machine until it is done. True: command->status and value (and text, where the command
 * says so) hold the reply. False: the
 * machine ended meanwhile; see supervisor_end. */
bool supervisor_command(struct supervisor *s, struct door_command *command);

/* Can this file be the disk? If not, one line in why. */
bool supervisor_disk(const char *path, bool read_only, char why[256]);

enum supervisor_outcome {
    SUPERVISOR_CLEAN,    /* halted after DOOR_COMMAND_END */
    SUPERVISOR_STOPPED,  /* bug check */
    SUPERVISOR_CRASHED,  /* the worker died or broke its protocol; detail says how ("SIGKILL", "exit 3") */
    SUPERVISOR_INTERNAL, /* the kernel or the host found itself wrong; detail says what */
};

struct supervisor_end {
    enum supervisor_outcome outcome;
    char detail[256];
    int record_error; /* errno of writing record_path; 0 = all of it was written */
};

/* Where the machine's schedule is told, before DOOR_COMMAND_SCHEDULE; afterwards supervisor_schedule_met says what was
 * met: points, flows, unmet, picks made and possibilities, as many as the structure holds. */
struct door_schedule *supervisor_schedule(struct supervisor *s);
void supervisor_schedule_met(const struct supervisor *s, struct door_schedule *met);

/* Where calls of user processes are told, see door.h. The worker writes there, too. */
struct door_user *supervisor_user(struct supervisor *s);

/*
 * Programs of the host, see client.h: they ring the machine themselves, so it also runs between two commands. Then the
 * descriptor becomes readable, and supervisor_look serves it. quiet: nothing was heard of it for 0.1 s. False: it has ended.
 */
int supervisor_news(const struct supervisor *s);
bool supervisor_look(struct supervisor *s, bool quiet);
int supervisor_board(const struct supervisor *s);
/* A memory file for a process that will be launched, mapped here and handed to the worker; it is the caller's. False: none. */
struct supervisor_share {
    uint32_t slot;
    int fd;
    uint8_t *memory; /* DOOR_SHARE_BYTES; the program and the worker write there, too */
};
bool supervisor_share(struct supervisor *s, struct supervisor_share *share);
void supervisor_share_close(struct supervisor *s, struct supervisor_share *share);
/* Whose calls this connection's are, and where in the share it posts them; process 0 = nobody's. Afterwards a command must be
 * sent before the area has another use. */
void supervisor_assign(struct supervisor *s, uint32_t guest, uint32_t process, uint32_t thread, uint64_t area);
enum supervisor_guest {
    SUPERVISOR_GUEST_QUIET,
    SUPERVISOR_GUEST_BUSY,
    SUPERVISOR_GUEST_WAITS,  /* for something to happen in the machine */
    SUPERVISOR_GUEST_BROKEN, /* it has posted what is no call */
};
enum supervisor_guest supervisor_guest(const struct supervisor *s, uint32_t guest);
uint32_t supervisor_guest_calls(const struct supervisor *s); /* so far, modulo 2^32 */
/* Nobody listens at this area any more: the program hears of it. */
void supervisor_hang_up(struct client_area *area);

/*
 * Snapshots: the machine as it stands now, between two commands, can be returned to any number of times, also after it
 * has ended in a bug check or with END. One per machine. What the machine's files were is part of it only as long as none
 * of them is changed: then, and when the worker is gone, restore is false, and a new machine has to be started.
 */
bool supervisor_snapshot(struct supervisor *s);
bool supervisor_restore(struct supervisor *s);
/* Go back, then carry out the commands (at most SUPERVISOR_AGAIN), which get their replies; in one go, since asking takes
 * longer than a short command. After a LOAD that fails only UNLOAD and END follow. False: could not go back. True: it was
 * there and has carried them out or ended meanwhile. */
#define SUPERVISOR_AGAIN 128
bool supervisor_again(struct supervisor *s, struct door_command *commands, unsigned count);

/* Has the machine ended, and how? */
bool supervisor_ended(const struct supervisor *s, struct supervisor_end *end);

/* The user wants it to end: every running machine is killed, with SUPERVISOR_CRASHED and "interrupted". For signal
 * handlers. supervisor_finish must still be called. */
void supervisor_interrupt(void);

/* End the machine if it still runs, drain the record, free everything, leave nothing behind. */
void supervisor_finish(struct supervisor *s, struct supervisor_end *end);
