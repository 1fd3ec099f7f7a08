/*
 * What the supervisor, the worker and the client library share, when programs of the host are user processes.
 *
 * A program connects to a Unix socket (SOCK_SEQPACKET), once for each of its threads. The server's first message, struct
 * client_welcome, hands over a memory file whose size is sealed: the board, which all programs share, and behind it an area for
 * each connection. The socket is for the beginning and the end: CLIENT_ATTACH and CLIENT_END ask the server, one byte each way,
 * and whoever closes it is gone. Calls go past the server: the program writes one into its area, sets its bit on the board and
 * rings; the worker carries it out as a call of the connection's process and thread (door.h: struct door_call), writes the
 * reply into the area and wakes the program. Both sleep by futex.
 *
 * Nothing in the memory file is trusted by the server or the worker: it is copied before it is checked. A program can spoil
 * another's wake-up there, but no more: after CLIENT_PATIENCE a waiting one rings again.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include "door.h"

#define CLIENT_VERSION (0x20000u | DOOR_SERVICE_COUNT) /* services go by number */
#define CLIENT_ENVIRONMENT "IRQLAB_SOCKET"             /* path of the socket */
#define CLIENT_DATA (4ull << 20)
#define CLIENT_PATIENCE 1 /* s */

/* What a program's byte asks the server for. */
enum client_request {
    CLIENT_ATTACH =
        'a',          /* first: `process` = 0 launches one (data: image name, command line, each with its zero), else a
                            further thread of that process. Reply: status, process, thread, stack */
    CLIENT_END = 'e', /* the process ends with `exit_status`; no reply */
};
#define CLIENT_REPLY 'r'

struct client_welcome {
    uint32_t version, index; /* of the connection's area */
};

struct client_board {
    _Atomic uint32_t bell;                     /* futex: what the worker sleeps at; a ring adds 1 */
    _Atomic uint64_t posted[DOOR_GUESTS / 64]; /* bit n: look at area n */
    uint8_t rest[] __attribute__((aligned(4096)));
};

struct client_call {
    uint32_t kind, service; /* DOOR_CALL_SERVICE, DOOR_CALL_COPY */
    uint64_t argument[DOOR_CALL_ARGUMENTS];
    uint64_t bytes; /* of data */
    uint32_t copies, reserved;
    struct door_copy copy[DOOR_CALL_COPIES];
};

enum client_state { CLIENT_IDLE, CLIENT_POSTED, CLIENT_DONE, CLIENT_GONE /* the server has hung up */ };

struct client_area {
    _Atomic uint32_t state; /* futex: what the program sleeps at */
    uint32_t status;        /* reply: NTSTATUS */
    struct client_call call;
    uint32_t process, thread; /* ids in the machine */
    uint64_t stack;           /* DOOR_USER_STACK bytes of the process for this thread */
    uint64_t bytes;           /* ATTACH: of data */
    uint32_t wow64, exit_status;
    uint8_t data[CLIENT_DATA] __attribute__((aligned(4096)));
};

#define CLIENT_FILE_BYTES (sizeof(struct client_board) + DOOR_GUESTS * sizeof(struct client_area))
#define CLIENT_AREA_OFFSET(index) (sizeof(struct client_board) + (index) * sizeof(struct client_area))
