/*
 * What the supervisor and the worker share: memory files and a socket pair.
 *
 *   images   a directory and the bytes of all image files; the supervisor writes, the worker has it read-only
 *   channel  struct channel: the event ring, one request with its reply, one halt; both write
 *   RAM      the machine's physical memory; the supervisor never looks into it
 *   board    at which programs of the host ring (client.h); only when there may be any
 *
 * The memory files of such programs come later, over a socket of their own: struct channel_share with a descriptor.
 *
 * One byte on the socket says "look at the channel". The worker is always the one who asks; it then waits for one byte. Where
 * programs may ring, it waits for the next command at their bell: `answered` says that one is there. It goes on with their calls
 * until then, so that it has asked for a command is said by a byte of its own ('c'), and other requests come in between.
 * The worker is not trusted: what it writes is copied before it is checked, and checked before it is used. Positions in
 * the ring only grow; their remainder is the place. The supervisor keeps its own read position and only publishes it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include "door.h"

#define CHANNEL_WORKER_NAME "irqlab-worker" /* argv[0] that makes the program a worker */

/* The worker's descriptors. Those of the other files are closed once mapped. */
enum channel_fd {
    CHANNEL_FD_WAKE = 3,
    CHANNEL_FD_RAM = 4,
    CHANNEL_FD_FILES = 5, /* the socket over which memory files come */
    CHANNEL_FD_CHANNEL = 6,
    CHANNEL_FD_IMAGES = 7,
    CHANNEL_FD_BOARD = 8,
    CHANNEL_FD_FIRST = 6, /* from here on, once those are closed: what has come */
};
#define CHANNEL_DESCRIPTORS (CHANNEL_FD_FIRST + DOOR_SHARES + 1)

/* A message there. */
struct channel_share {
    uint32_t slot;
};

#define CHANNEL_RING (1u << 20)
#define CHANNEL_EVENT (1u << 16)    /* largest event */
#define CHANNEL_TRANSFER (1u << 18) /* bytes of a file moved at once */
#define CHANNEL_IMAGES 1024
#define CHANNEL_IMAGES_BYTES (4ull << 30)

/* First in the images file. */
struct channel_directory {
    _Atomic uint32_t count;
    uint32_t reserved;
    struct channel_image {
        char name[256];
        uint64_t offset, bytes;
    } image[CHANNEL_IMAGES];
};

/* What the machine is built from; constant. */
struct channel_machine {
    uint32_t processors, stop_on_finding, free_build, special_pool, dry_run, force_integrity;
    uint32_t points, races; /* see struct door */
    uint32_t trace_level, trace_io;
    uint32_t os_major, os_minor, os_build;
    uint32_t watchdog_ms; /* 0 = none */
    uint32_t debugger, boot_images;
    uint32_t snapshots; /* 1 = snapshots may be asked for */
    uint32_t guests;    /* 1 = programs of the host may ring */
    uint64_t ram_bytes, seed;
    uint64_t disk_sectors; /* 0 = no disk */
    uint32_t disk_read_only;
    uint32_t benigns;
    struct door_benign benign[DOOR_BENIGN];
};

enum channel_request {
    CHANNEL_NOTHING, /* only new events: no reply is expected */
    CHANNEL_DRAIN,   /* the ring is full */
    CHANNEL_COMMAND,
    CHANNEL_FILE,
    CHANNEL_IMAGE, /* path of a file to be added to the images; error, image */
    CHANNEL_HALT,  /* the reply is RESTORE, or none */
    CHANNEL_DISK,  /* disk, sector, transfer (one sector); error */
};

enum channel_disk { CHANNEL_DISK_READ, CHANNEL_DISK_WRITE, CHANNEL_DISK_FLUSH };
#define CHANNEL_SECTOR 512

/*
 * Commands of the supervisor that the kernel never sees. SNAPSHOT keeps the machine as it stands at this command; RESTORE,
 * as the answer to CHANNEL_COMMAND or CHANNEL_HALT, brings it back there, and the worker asks for the next command. Their
 * reply is an enum door_error in command.status.
 */
enum channel_command { CHANNEL_SNAPSHOT = 0x1000, CHANNEL_RESTORE = 0x1001 };

#define CHANNEL_LOST                                                                                                   \
    "the machine's snapshot is lost" /* why, of a halt instead of going back: more has changed than is kept */

#define CHANNEL_BATCH 128

enum channel_guest_state {
    CHANNEL_GUEST_QUIET,
    CHANNEL_GUEST_BUSY,  /* its call is carried out */
    CHANNEL_GUEST_WAITS, /* its call waits for something */
};

/* A connection as the worker knows it. */
struct channel_guest {
    _Atomic uint32_t process, thread; /* supervisor: whose calls they are; process 0 = nobody's */
    _Atomic uint32_t state;           /* worker: enum channel_guest_state */
    _Atomic uint32_t broken;          /* worker: what it has posted is no call */
    _Atomic uint64_t area;            /* supervisor: where it posts, from DOOR_SHARE_PA on */
};

struct channel {
    struct channel_machine machine;
    struct door_schedule schedule; /* the kernel reads and writes it */

    /* Commands carried out one after the other without a question in between; each keeps its reply. After a LOAD that
     * fails, what is left but UNLOAD and END is passed over. */
    uint32_t batch_next, batch_count;
    struct door_command batch[CHANNEL_BATCH];

    _Atomic uint64_t head __attribute__((aligned(64))); /* worker: bytes written so far */
    _Atomic uint64_t tail __attribute__((aligned(64))); /* supervisor: bytes read so far */
    _Atomic uint64_t progress; /* worker: grows while the machine is alive, see host/machine/watchdog.c */

    _Atomic uint32_t answered; /* supervisor: the next command is there */
    _Atomic uint32_t resting;  /* worker: it waits for a command or a call */
    _Atomic uint32_t guest_calls;
    struct channel_guest guest[DOOR_GUESTS];
    _Atomic uint32_t share[DOOR_SHARES]; /* worker: the slot is in use */

    uint32_t request __attribute__((aligned(64))); /* enum channel_request */
    uint32_t error;                                /* enum door_error */
    uint32_t image;                                /* index in the directory */
    uint32_t halt;                                 /* enum door_halt */
    uint32_t disk;                                 /* enum channel_disk */
    uint64_t sector;
    char why[256];
    struct door_command command;
    struct door_file file; /* buffer: not used, see transfer */
    char path[1024];
    uint8_t transfer[CHANNEL_TRANSFER];

    uint8_t ring[CHANNEL_RING] __attribute__((aligned(4096)));

    struct door_user user __attribute__((aligned(4096))); /* calls of user processes; the kernel reads and writes it */
};
