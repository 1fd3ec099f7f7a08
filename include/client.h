/*
 * What host/serve and the client library share. A program talks to the machine over a Unix socket (SOCK_SEQPACKET), one
 * connection for each of its threads, and a memory file for each connection that the server makes, sealed in its size, and
 * hands over in its first message. The program writes a call there and sends one byte; the server carries it out as a call
 * of the program's process in the machine (door.h: struct door_call) and sends one byte back. A closed socket means: the
 * other side is gone.
 *
 * Nothing in the memory file is trusted by the server: it is copied before it is checked.
 */
#pragma once

#include <stdint.h>
#include "door.h"

#define CLIENT_VERSION (0x10000u | DOOR_SERVICE_COUNT) /* services go by number */
#define CLIENT_ENVIRONMENT "IRQLAB_SOCKET"             /* path of the socket */
#define CLIENT_DATA (4ull << 20)

/* What the client's byte asks for. */
enum client_request {
    CLIENT_ATTACH =
        'a',           /* first: `process` = 0 launches one (data: image name, command line, each with its zero), else a
                            further thread of that process. Reply: process, thread, stack */
    CLIENT_CALL = 'c', /* kind, service, argument, copies, data -> status, value, argument[0..1], data */
    CLIENT_END = 'e',  /* the process ends with `status`; no reply */
};
#define CLIENT_REPLY 'r'

struct client_area {
    uint32_t version, request;
    uint32_t process, thread; /* ids in the machine */
    uint64_t stack;           /* DOOR_USER_STACK bytes of the process for this thread */
    uint32_t wow64;           /* ATTACH */
    uint32_t kind, service, status;
    uint64_t argument[DOOR_CALL_ARGUMENTS];
    uint64_t value;
    uint64_t bytes; /* of data */
    uint32_t copies, reserved;
    struct door_copy copy[DOOR_CALL_COPIES];
    uint8_t data[CLIENT_DATA] __attribute__((aligned(4096)));
};
