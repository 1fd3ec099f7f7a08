/*
 * The process's memory in the machine, which the program has mapped, too: where the machine has it, if Linux has nothing there,
 * so that a pointer into it means the same on both sides. What is not allocated is closed.
 *
 * Memory for requests is kept in lists by size, powers of two, and not given back.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "part.h"

#define SIZES 31
#define SMALLEST 12        /* 4 KiB */
#define ALL ((uint64_t)-1) /* the process's own handle */

struct memory memory;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct piece {
    struct piece *next;
    uint64_t at;
} * spare[SIZES];

bool memory_map(int file, uint64_t base, uint64_t bytes)
{
    if (file < 0)
        return false;
    void *at =
        mmap((void *)(uintptr_t)base, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, file, 0);
    if (at != MAP_FAILED && (uintptr_t)at != base) /* a kernel that does not know the flag */
        munmap(at, bytes);
    if (at == MAP_FAILED || (uintptr_t)at != base)
        at = mmap(NULL, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (at == MAP_FAILED)
        return false;
    memory = (struct memory){base, bytes, at};
    return true;
}

uint64_t memory_of(const void *buffer, uint64_t bytes)
{
    uint64_t offset = (uint64_t)((uintptr_t)buffer - (uintptr_t)memory.at);
    return memory.at && offset < memory.bytes && bytes <= memory.bytes - offset ? memory.base + offset : 0;
}

static bool is_ours(uint64_t address, uint64_t bytes)
{
    return address >= memory.base && address - memory.base < memory.bytes &&
           bytes <= memory.bytes - (address - memory.base);
}

void memory_open(uint64_t address, uint64_t bytes)
{
    mprotect(here(address), bytes, PROT_READ | PROT_WRITE);
}

__thread sigjmp_buf *guard;

bool guarded_copy(void *to, const void *from, uint64_t bytes)
{
    sigjmp_buf back;
    bool good = !sigsetjmp(back, 0);
    if (good) {
        guard = &back;
        __asm__ volatile("" ::: "memory"); /* it is set before, and as long as, bytes are moved */
        memcpy(to, from, bytes);
        __asm__ volatile("" ::: "memory");
    }
    guard = NULL;
    return good;
}

/* ---- The machine's services ---------------------------------------------------------------------------------------------- */

/* *at and *bytes as the service takes and leaves them. */
static NTSTATUS service(struct link *l, enum door_service which, uint64_t *at, uint64_t *bytes, uint64_t more,
                        DWORD *old)
{
    uint64_t both[2] = {*at, *bytes}, word = place(l, PLACE_WORD);
    NTSTATUS status;
    request_begin(l, which);
    request_in(word, both, sizeof both);
    if (which == DOOR_SERVICE_AllocateVirtualMemory)
        status = request_go(l, 6, ALL, word, 0ull, word + 8, more & 0xffffffff, more >> 32);
    else if (which == DOOR_SERVICE_FreeVirtualMemory)
        status = request_go(l, 4, ALL, word, word + 8, more);
    else
        status = request_go(l, 5, ALL, word, word + 8, more, place(l, PLACE_MORE));
    memcpy(both, here(word), sizeof both);
    if (old)
        memcpy(old, here(place(l, PLACE_MORE)), sizeof *old);
    *at = both[0];
    *bytes = both[1];
    return status;
}

static int linux_protection(DWORD protect)
{
    if (protect & PAGE_GUARD)
        return PROT_NONE;
    switch (protect & 0xff) {
    case PAGE_READONLY:
    case PAGE_EXECUTE:
    case PAGE_EXECUTE_READ:
        return PROT_READ;
    case PAGE_READWRITE:
    case PAGE_EXECUTE_READWRITE:
        return PROT_READ | PROT_WRITE;
    default:
        return PROT_NONE;
    }
}

static void follow(uint64_t at, uint64_t bytes, DWORD protect)
{
    mprotect(here(at), bytes, linux_protection(protect));
}

LPVOID VirtualAlloc(LPVOID address, size_t bytes, DWORD type, DWORD protect)
{
    struct link *l = link_get();
    if (!l)
        return NULL;
    uint64_t at = address ? memory_of(address, bytes) : 0, size = bytes;
    if (address && !at) {
        last_error = ERROR_INVALID_ADDRESS; /* nobody would see it here */
        return NULL;
    }
    NTSTATUS status = service(l, DOOR_SERVICE_AllocateVirtualMemory, &at, &size, (uint64_t)protect << 32 | type, NULL);
    if (!settle(status))
        return NULL;
    if (!is_ours(at, size)) {
        uint64_t none = 0;
        service(l, DOOR_SERVICE_FreeVirtualMemory, &at, &none, MEM_RELEASE, NULL);
        last_error = ERROR_NOT_ENOUGH_MEMORY;
        return NULL;
    }
    if (type & MEM_COMMIT)
        follow(at, size, protect);
    return here(at);
}

BOOL VirtualFree(LPVOID address, size_t bytes, DWORD type)
{
    struct link *l = link_get();
    uint64_t at = memory_of(address, bytes), size = bytes;
    if (!l)
        return FALSE;
    if (!at || (type == MEM_RELEASE && bytes)) { /* docs: VirtualFree: dwSize must be 0 then */
        last_error = at ? ERROR_INVALID_PARAMETER : ERROR_INVALID_ADDRESS;
        return FALSE;
    }
    if (!settle(service(l, DOOR_SERVICE_FreeVirtualMemory, &at, &size, type, NULL)))
        return FALSE;
    if (is_ours(at, size))
        follow(at, size, PAGE_NOACCESS);
    return TRUE;
}

BOOL VirtualProtect(LPVOID address, size_t bytes, DWORD protect, LPDWORD old)
{
    struct link *l = link_get();
    uint64_t at = memory_of(address, bytes), size = bytes;
    if (!l)
        return FALSE;
    if (!at || !old) {
        last_error = at ? ERROR_NOACCESS : ERROR_INVALID_ADDRESS;
        return FALSE;
    }
    if (!settle(service(l, DOOR_SERVICE_ProtectVirtualMemory, &at, &size, protect, old)))
        return FALSE;
    if (is_ours(at, size))
        follow(at, size, protect);
    return TRUE;
}

/* ---- Memory of the library's own ------------------------------------------------------------------------------------------- */

static unsigned size_of(uint64_t bytes)
{
    unsigned size = SMALLEST;
    while (size < SIZES && (1ull << size) < bytes)
        size++;
    return size;
}

uint64_t memory_get(struct link *l, uint64_t bytes)
{
    unsigned size = size_of(bytes);
    if (size == SIZES)
        return 0;
    pthread_mutex_lock(&lock);
    struct piece *piece = spare[size];
    if (piece)
        spare[size] = piece->next;
    pthread_mutex_unlock(&lock);
    uint64_t at = piece ? piece->at : 0, room = 1ull << size;
    free(piece);
    if (at)
        return at;
    if (service(l, DOOR_SERVICE_AllocateVirtualMemory, &at, &room,
                (uint64_t)PAGE_READWRITE << 32 | MEM_COMMIT | MEM_RESERVE, NULL) < 0 ||
        !is_ours(at, room))
        return 0;
    memory_open(at, room);
    return at;
}

void memory_put(uint64_t address, uint64_t bytes)
{
    unsigned size = size_of(bytes);
    struct piece *piece = malloc(sizeof *piece);
    if (!piece) /* lost until the end */
        return;
    piece->at = address;
    pthread_mutex_lock(&lock);
    piece->next = spare[size];
    spare[size] = piece;
    pthread_mutex_unlock(&lock);
}
