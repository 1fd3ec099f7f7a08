/*
 * What the library's files share: one thread's connection, and the request that is being put together in its memory.
 *
 * A request passes structures and small buffers through the first part of the thread's stack in the machine, which is the
 * program's to use as it likes (door.h); larger ones through memory of the process.
 */
#pragma once

#include <stdbool.h>
#include "client.h"
#include "irqlab-client.h"

#define HIDDEN __attribute__((visibility("hidden")))
#define LOST                                                                                                           \
    ((NTSTATUS)0xC000000E) /* the machine is gone: STATUS_NO_SUCH_DEVICE, told as ERROR_NOT_READY by the flag below */

/* What the memory shared with the machine's side holds is read once and never relied on. */
struct link {
    int fd;
    struct client_board *board;
    struct client_area *area;
    uint32_t index, thread;
    uint64_t stack;
    struct client_call call;     /* the request that is being put together */
    uint64_t large, large_bytes; /* memory of the process for buffers beyond the stack's */
    bool lost;
};

/* The calling thread's; connects at the first call. NULL: there is no machine (last error is set). */
HIDDEN struct link *link_get(void);
HIDDEN extern uint32_t link_process; /* 0 = none */

/* Addresses in the thread's stack: the first 4 KiB are for structures, the rest is for buffers. */
#define PLACE_IOSB 0x0
#define PLACE_WORD 0x20
#define PLACE_MORE 0x40
#define PLACE_STRUCT 0x100
#define PLACE_BUFFER 0x1000
#define PLACE_ROOM (DOOR_USER_STACK - 0x20000)

static inline uint64_t place(const struct link *l, uint64_t offset)
{
    return l->stack + offset;
}

HIDDEN void request_begin(struct link *l, enum door_service service);
/* Before the call: bytes to an address of the process. False: too much. */
HIDDEN bool request_in(struct link *l, uint64_t address, const void *data, uint64_t bytes);
/* After it: from an address; returns where they will be, or NULL. */
HIDDEN const void *request_out(struct link *l, uint64_t address, uint64_t bytes);
HIDDEN NTSTATUS request_go(struct link *l, unsigned count, ...); /* arguments: uint64_t */
HIDDEN NTSTATUS request_copy(struct link *l);                    /* only the copies */

/* Memory of the process. 0: none. */
HIDDEN uint64_t memory_get(struct link *l, uint64_t bytes);
HIDDEN void memory_free(struct link *l, uint64_t address);

/* Sets the last error. Returns NT_SUCCESS. */
HIDDEN bool settle(NTSTATUS status);

/* overlapped.c: the requests under way */
struct pending {
    struct pending *next;
    LPOVERLAPPED overlapped;
    HANDLE file;
    uint64_t iosb, buffer, region; /* in the process */
    void *to;                      /* where the result goes, or NULL */
    uint64_t bytes;
};
HIDDEN void pending_add(struct pending *p);
HIDDEN void pending_collect(void);                                  /* look at all of them */
HIDDEN uint64_t pending_iosb(HANDLE file, LPOVERLAPPED overlapped); /* 0: there is no such request */

HIDDEN extern __thread DWORD last_error;
