/*
 * A snapshot of the machine within its worker, and the way back to it: in some 50 microseconds, as often as wanted.
 *
 * Taken while the kernel waits in operator_next. What belongs to it: the pages of the RAM file that exist, what is mapped
 * where (extents.c), the guards of stacks, and what the host's parts remember of the machine, which they register. The
 * way back compares page by page and copies what differs: a small machine's 1 to 4 MiB are compared faster than any
 * tracking of writes costs here, and nothing can be overlooked. Pages that did not exist are zeroed, or given back when
 * they are many.
 *
 * All of it is seen through mappings of the host's own, above the machine's ranges; the copy lies in memory reserved before the
 * sandbox closes. The way back runs on a stack of the host's, since it overwrites the one it was called on.
 *
 * The event record is not part of it: events go on being appended. Nor are the supervisor's things (volumes, images
 * offered); it has its own way back for those.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <errno.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/extents.h"
#include "machine/trap.h"
#include "sandbox/syscall.h"

#define PARTS 32
#define PARTS_BYTES (4u << 20)
#define RUNS 65536 /* stretches of pages in the RAM file */
#define TOUCHES 16384
#define GIVE_BACK 64 /* new pages in one stretch from which on they are given back, not zeroed */
#define COPY_BYTES (4ull << 30)
#define STACK_BYTES (1ull << 38) /* of stack slots, at most: 4 million */

struct part {
    uint8_t *at;
    size_t bytes;          /* of an entry, when it is a table */
    const uint32_t *count; /* NULL = no table */
    uint64_t saved;        /* offset in saved_parts */
    uint32_t saved_entries;
};

struct run {
    uint64_t pa, bytes;
    uint64_t copy; /* offset in the copy */
};

static struct part part[PARTS];
static unsigned parts;
static uint8_t saved_parts[PARTS_BYTES];
static struct run run[RUNS];
static uint32_t runs;
static struct run later[RUNS]; /* stretches that came to exist since, as far as known */
static uint32_t later_runs;
static uint64_t later_blocks; /* size of the RAM file with them; 0 = not known */
static bool given_back;       /* pages were, since the last look */
static struct extent saved_extents[EXTENTS_LIMIT + 2];
static uint32_t saved_extent_count;
static struct {
    uint64_t *word, old;
} touch[TOUCHES];
static uint32_t touches;
static bool present, lost; /* lost: more was touched than could be noted */

static uint8_t *device_pages, *stacks, *copy; /* our views of two parts of the RAM file besides RAM; the copy */

struct snapshot_registers {
    uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
    uint32_t mxcsr;
    uint16_t control;
};
static struct snapshot_registers registers;

int snapshot_save(struct snapshot_registers *r) __attribute__((returns_twice)); /* snapshot_switch.S; 1 = we are back */
void snapshot_load(const struct snapshot_registers *r) __attribute__((noreturn));
void snapshot_leave(void *stack, void (*call)(void)) __attribute__((noreturn));
static uint8_t own_stack[64 * 1024] __attribute__((aligned(64)));

/* ---- What the host remembers ----------------------------------------------------------------------------------- */

void snapshot_register(void *at, size_t bytes)
{
    if (parts == PARTS)
        machine_internal("more than %u parts of a snapshot", PARTS, 0, 0);
    part[parts++] = (struct part){.at = at, .bytes = bytes};
}

void snapshot_register_table(void *at, size_t entry_bytes, const uint32_t *count)
{
    snapshot_register(at, entry_bytes);
    part[parts - 1].count = count;
}

void snapshot_touch(uint64_t *word)
{
    if (!present)
        return;
    if (touches == TOUCHES) {
        lost = true;
        return;
    }
    touch[touches].word = word;
    touch[touches++].old = *word;
}

static bool parts_save(void)
{
    uint64_t used = 0;

    for (struct part *p = part; p < part + parts; p++) {
        p->saved_entries = p->count ? *p->count : 1;
        p->saved = used;
        used += p->bytes * p->saved_entries;
        if (used > PARTS_BYTES)
            return false;
        memcpy(saved_parts + p->saved, p->at, p->bytes * p->saved_entries);
    }
    return true;
}

static void parts_restore(void)
{
    for (const struct part *p = part; p < part + parts; p++)
        memcpy(p->at, saved_parts + p->saved, p->bytes * p->saved_entries);
}

/* ---- Pages ------------------------------------------------------------------------------------------------------ */

static uint64_t stack_end(void)
{
    return DOOR_STACK_PA + STACK_BYTES;
}

static uint8_t *view(uint64_t pa)
{
    if (pa >= DOOR_STACK_PA)
        return stacks + (pa - DOOR_STACK_PA);
    return pa >= DOOR_DEVICE_PA ? device_pages + (pa - DOOR_DEVICE_PA) : memory_physical(pa, DOOR_PAGE);
}

/* The next stretch of existing pages at or above `from`; bytes 0: there is none. No stretch spans two parts of the file:
 * there are holes between them. */
static bool next_run(uint64_t from, struct run *r)
{
    long start = sandbox_syscall(SYS_lseek, CHANNEL_FD_RAM, (long)from, SEEK_DATA, 0, 0, 0);
    long end;

    r->bytes = 0;
    if (start == -ENXIO)
        return true;
    if (start < 0)
        return false;
    end = sandbox_syscall(SYS_lseek, CHANNEL_FD_RAM, start, SEEK_HOLE, 0, 0, 0);
    if (end < 0 || (uint64_t)end > stack_end())
        return false;
    r->pa = (uint64_t)start;
    r->bytes = (uint64_t)(end - start);
    return true;
}

static bool pages_save(void)
{
    uint64_t at = 0, used = 0;

    for (runs = 0; runs < RUNS; runs++) {
        struct run *r = &run[runs];
        if (!next_run(at, r))
            return false;
        if (!r->bytes)
            return true;
        if (r->bytes > COPY_BYTES - used)
            return false;
        r->copy = used;
        memcpy(copy + used, view(r->pa), r->bytes);
        used += r->bytes;
        at = r->pa + r->bytes;
    }
    return false;
}

static void put_back(uint64_t pa, const uint8_t *old, uint64_t bytes)
{
    for (uint64_t done = 0; done < bytes; done += DOOR_PAGE)
        if (memcmp(view(pa + done), old + done, DOOR_PAGE))
            memcpy(view(pa + done), old + done, DOOR_PAGE);
}

static void clear(uint64_t pa, uint64_t bytes)
{
    static const uint8_t zero[DOOR_PAGE];

    for (uint64_t done = 0; done < bytes; done += DOOR_PAGE)
        if (memcmp(view(pa + done), zero, DOOR_PAGE))
            memset(view(pa + done), 0, DOOR_PAGE);
}

static bool later_add(uint64_t pa, uint64_t bytes)
{
    if (bytes >= GIVE_BACK * DOOR_PAGE)
        return sandbox_syscall(SYS_fallocate, CHANNEL_FD_RAM, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (long)pa,
                               (long)bytes, 0, 0) == 0;
    if (later_runs == RUNS)
        return false;
    later[later_runs++] = (struct run){.pa = pa, .bytes = bytes};
    return true;
}

/* List the pages that exist now and did not then. */
static bool later_find(void)
{
    struct run now = {0};
    uint32_t i = 0;

    later_runs = 0;
    for (;;) {
        if (!next_run(now.pa + now.bytes, &now))
            return false;
        if (!now.bytes)
            return true;
        for (uint64_t pos = now.pa, end = now.pa + now.bytes; pos < end;) {
            uint64_t stop = end;
            while (i < runs && run[i].pa + run[i].bytes <= pos)
                i++;
            if (i < runs && run[i].pa <= pos) {
                pos = run[i].pa + run[i].bytes;
                continue;
            }
            if (i < runs && run[i].pa < stop)
                stop = run[i].pa;
            if (!later_add(pos, stop - pos))
                return false;
            pos = stop;
        }
    }
}

static uint64_t blocks(void)
{
    struct stat st;

    return sandbox_syscall(SYS_fstat, CHANNEL_FD_RAM, (long)&st, 0, 0, 0, 0) == 0 ? (uint64_t)st.st_blocks : 0;
}

/* As long as nothing is given back pages only come to exist, so their number tells whether there are others than known. */
static bool pages_restore(void)
{
    for (uint32_t i = 0; i < runs; i++)
        put_back(run[i].pa, copy + run[i].copy, run[i].bytes);
    if (given_back || !later_blocks || blocks() != later_blocks) {
        if (!later_find())
            return false;
        given_back = false;
        later_blocks = blocks();
    }
    for (uint32_t i = 0; i < later_runs; i++)
        clear(later[i].pa, later[i].bytes);
    return true;
}

/* ---- Mappings --------------------------------------------------------------------------------------------------- */

static bool remap(const struct extent *now, const struct extent *then)
{
    uint64_t bytes = then ? then->end - then->va : now->end - now->va;

    if (!then)
        return memory_unmap(now->va, bytes) == DOOR_OK;
    if (now && now->pa == then->pa)
        return memory_protect(then->va, bytes, then->protection) == DOOR_OK;
    return memory_map(then->va, then->pa, bytes, then->protection) == DOOR_OK;
}

static bool mappings_restore(void)
{
    bool ok;

    while (touches) {
        uint64_t *word = touch[--touches].word, now = *word;
        *word = touch[touches].old;
        if (!stacks_restore(word, now))
            return false;
    }
    machine.snapshots = false; /* the list stands still while it is compared */
    ok = extents_difference(saved_extents, saved_extent_count, remap);
    machine.snapshots = true;
    extents_set_list(saved_extents, saved_extent_count);
    return ok;
}

/* ---- Taking it, going back -------------------------------------------------------------------------------------- */

static uint8_t *reserve(uint64_t bytes, int protection, int flags, int fd, uint64_t offset)
{
    void *at = mmap(NULL, bytes, protection, flags | MAP_NORESERVE, fd, (off_t)offset);

    return at == MAP_FAILED ? NULL : at;
}

void snapshot_prepare(void)
{
    device_pages = reserve(DOOR_DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_FD_RAM, DOOR_DEVICE_PA);
    stacks = reserve(STACK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_FD_RAM, DOOR_STACK_PA);
    copy = reserve(COPY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!device_pages || !stacks || !copy)
        machine_internal("no address space for snapshots", 0, 0, 0);
}

void snapshot_given_back(void)
{
    given_back = true;
}

bool snapshot_present(void)
{
    return present;
}

int snapshot_take(void)
{
    const struct extent *extents = extents_list(&saved_extent_count);

    if (!machine.snapshots || present || !extents)
        return DOOR_NO_MEMORY;
    memcpy(saved_extents, extents, saved_extent_count * sizeof(*extents));
    trap_area(); /* where the way back leads */
    if (snapshot_save(&registers))
        return DOOR_OK;
    if (!parts_save() || !pages_save())
        return DOOR_NO_MEMORY;
    present = true;
    return DOOR_OK;
}

static void go_back(void)
{
    if (!mappings_restore() || !pages_restore())
        machine_internal("the machine's snapshot cannot be restored", 0, 0, 0);
    parts_restore();
    machine.door.processor_select(machine.area);
    snapshot_load(&registers);
}

void snapshot_restore(void)
{
    if (!present)
        machine_internal("there is no snapshot", 0, 0, 0);
    if (lost || !extents_list(&(uint32_t){0}))
        machine_halt(DOOR_HALT_INTERNAL, CHANNEL_LOST);
    snapshot_leave(own_stack + sizeof(own_stack), go_back);
}

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(&machine, sizeof(machine));
}
