/*
 * What the library's files share: one thread's connection, and the request that is being put together.
 *
 * The process's memory in the machine is the program's, too (client.h). A request passes structures and small buffers through
 * the thread's stack there, which is the program's to use as it likes (door.h), larger ones through memory that is kept for the
 * next request of that size; what lies in memory of VirtualAlloc goes as it is.
 */
#pragma once

#include <setjmp.h>
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
    struct client_call call; /* the request that is being put together */
    uint64_t large, large_bytes;
    bool lost;
};

/* The calling thread's; connects at the first call. NULL: there is no machine (last error is set). */
HIDDEN struct link *link_get(void);
HIDDEN extern uint32_t link_process; /* 0 = none */

/* The process's memory: in the machine from base on, here from at on. The same address where Linux lets us have it. */
struct memory {
    uint64_t base, bytes;
    uint8_t *at;
};
HIDDEN extern struct memory memory;

/* Addresses in the thread's stack: behind the area a page for structures, the rest is for buffers. */
#define PLACE_IOSB (CLIENT_AREA_BYTES + 0x0)
#define PLACE_WORD (CLIENT_AREA_BYTES + 0x20)
#define PLACE_MORE (CLIENT_AREA_BYTES + 0x40)
#define PLACE_STRUCT (CLIENT_AREA_BYTES + 0x100)
#define PLACE_BUFFER 0x3000
#define PLACE_ROOM (DOOR_USER_STACK - 0x20000)

static inline uint64_t place(const struct link *l, uint64_t offset)
{
    return l->stack + offset;
}

/* Where an address of the process lies here. */
static inline void *here(uint64_t address)
{
    return memory.at + (address - memory.base);
}

/* The address in the process of a buffer that lies in its memory as a whole; 0: it does not. */
HIDDEN uint64_t memory_of(const void *buffer, uint64_t bytes);
HIDDEN bool memory_map(int file, uint64_t base, uint64_t bytes);
HIDDEN void memory_open(uint64_t address, uint64_t bytes); /* for reading and writing, here */
/* Memory of the process, and back to be used again. 0: there is none. */
HIDDEN uint64_t memory_get(struct link *l, uint64_t bytes);
HIDDEN void memory_put(uint64_t address, uint64_t bytes);

/* A copy from or to the program's own memory; false: it is not there. (Where the program has a handler of its own for SIGSEGV,
 * that gets it.) */
HIDDEN bool guarded_copy(void *to, const void *from, uint64_t bytes);
HIDDEN extern __thread sigjmp_buf *guard; /* NULL: no copy is made */

HIDDEN void request_begin(struct link *l, enum door_service service);
HIDDEN void request_in(uint64_t address, const void *data, uint64_t bytes);
HIDDEN NTSTATUS request_go(struct link *l, unsigned count, ...); /* arguments: uint64_t */

/* Sets the last error. Returns NT_SUCCESS. */
HIDDEN bool settle(NTSTATUS status);

/* overlapped.c: the requests under way */
struct pending {
    struct pending *next;
    LPOVERLAPPED overlapped;
    HANDLE file;
    uint64_t iosb, buffer; /* in the process; the first is memory of ours that begins with it: */
    uint64_t region_bytes;
    void *to; /* where the result goes, or NULL */
    uint64_t bytes;
    bool whole; /* all of the buffer, whatever the request says */
};
HIDDEN void pending_add(struct pending *p);
HIDDEN void pending_collect(void);                                  /* look at all of them */
HIDDEN uint64_t pending_iosb(HANDLE file, LPOVERLAPPED overlapped); /* 0: there is no such request */

HIDDEN extern __thread DWORD last_error;
