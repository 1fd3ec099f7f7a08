/*
 * What the supervisor, the worker and the client library share, when programs of the host are user processes.
 *
 * A program connects to a Unix socket (SOCK_SEQPACKET), once for each of its threads, and says what it wants by one message,
 * struct client_request. The answer to CLIENT_ATTACH, struct client_welcome, hands over two memory files whose sizes are sealed:
 * the board, one page that all programs have, and, to the first thread of a program, the memory of its process, which no other
 * program gets. What lies there at some distance from the beginning lies in the machine at the same distance from `base`: a
 * buffer that the program has allocated in the machine is the process's own pages, and takes no copy.
 *
 * Calls go past the server: the first page of the thread's stack in the machine is its struct client_area. The program writes a
 * call there, sets its bit on the board and rings; the worker carries it out as a call of the connection's process and thread
 * (door.h: struct door_call), writes the reply into the area and wakes the program. Both sleep by futex.
 *
 * Nothing in these files is trusted by the server or the worker: it is copied before it is checked. A program can spoil
 * another's wake-up on the board, but no more: after CLIENT_PATIENCE a waiting one rings again.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include "door.h"

#define CLIENT_VERSION (0x30000u | DOOR_SERVICE_COUNT) /* services go by number */
#define CLIENT_ENVIRONMENT "IRQLAB_SOCKET"             /* path of the socket */
#define CLIENT_NAMES 2048
#define CLIENT_PATIENCE 1 /* s */

enum client_what {
    CLIENT_ATTACH =
        1, /* process 0 launches one (names: of the image, and the command line, each with its zero), else a further
                          thread of that process */
    CLIENT_END, /* the process ends with `status`; no reply */
};

struct client_request {
    uint32_t version, what;
    uint32_t process, wow64, status;
    uint32_t bytes; /* of names; the message ends behind them */
    char names[CLIENT_NAMES];
};

struct client_welcome {
    uint32_t version;
    uint32_t status;          /* NTSTATUS; an error: the rest is 0, and no files come with it */
    uint32_t index;           /* of the connection: its bit on the board */
    uint32_t process, thread; /* ids in the machine */
    uint32_t reserved;
    uint64_t base, bytes; /* the process's memory in the machine that the program has, too */
    uint64_t stack; /* address of DOOR_USER_STACK bytes of it for this thread; they begin with struct client_area */
};

struct client_board {
    _Atomic uint32_t bell;                     /* futex: what the worker sleeps at; a ring adds 1 */
    _Atomic uint64_t posted[DOOR_GUESTS / 64]; /* bit n: look at area n */
    uint8_t rest[] __attribute__((aligned(4096)));
};

struct client_call {
    uint32_t service, reserved;
    uint64_t argument[DOOR_CALL_ARGUMENTS];
};

enum client_state { CLIENT_IDLE, CLIENT_POSTED, CLIENT_DONE, CLIENT_GONE /* the server has hung up */ };

struct client_area {
    _Atomic uint32_t state; /* futex: what the program sleeps at */
    uint32_t status;        /* reply: NTSTATUS */
    struct client_call call;
};

#define CLIENT_AREA_BYTES 0x1000ull /* of the stack */
