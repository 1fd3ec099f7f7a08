/*
 * The machine: what the parts of the worker share. One host thread; after boot all of it runs either inside a door call
 * on a kernel stack, or in a signal handler on the alternate stack. All storage is static: nothing allocates.
 *
 * Host code may touch the machine's memory during a door call: a fault there (a closed page, a bad pointer of a driver)
 * is the machine's own and becomes a trap; when that returns, the host code goes on. So it must be ready for the kernel
 * to run, and to call the door, at any such touch. A fault of host code elsewhere is an internal error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "door.h"
#include "machine/channel.h"

struct machine {
    struct door door;
    uint64_t area; /* of the running processor, as last noted: trap_area() */
    uint32_t watchdog_ms;
    bool debugger;
    bool snapshots;        /* memory.c keeps account of all mappings */
    bool running;          /* the kernel has been entered */
    bool drivers;          /* one has been mapped: from then on anything may be damaged */
    volatile bool in_door; /* host code runs because the kernel called it */
};
extern struct machine machine;

/* Every door call starts and ends with these. */
static inline void machine_enter(void)
{
    machine.in_door = true;
}
static inline void machine_leave(void)
{
    machine.in_door = false;
}

/* End the worker: the supervisor hears how and why. */
void machine_halt(enum door_halt how, const char *why) __attribute__((noreturn));
void machine_internal(const char *format, uint64_t a, uint64_t b, uint64_t c) __attribute__((noreturn));
/* Our own code cannot go on. With a driver about, that is most likely what it has written over; else an internal error. */
void machine_wrecked(const char *what, uint64_t at, uint64_t address) __attribute__((noreturn));

/* channel.c: the supervisor's end */
extern struct channel *channel;
extern const struct channel_directory *channel_images;
bool channel_attach(void);
void channel_ask(enum channel_request request); /* returns when it has been answered */
void channel_tell(enum channel_request request);
void channel_tell_news(void);  /* look at the events, and at the guests */
void channel_tell_ready(void); /* CHANNEL_COMMAND, but other requests may be made before it is answered */
void channel_record(const struct door_event *event, const void *payload);

/* guests.c: programs of the host */
bool guests_attach(void);                       /* false: no address space */
uint64_t guests_board(void);                    /* a multiple of 4 GiB; 0 = there are none */
void guests_next(struct door_command *command); /* operator_next: the supervisor's command, or a call of a guest's */

/* share.c: their memory */
int share_open(uint32_t slot, uint32_t on);
void share_sweep(void);                       /* what the kernel has given up, and no call is under way in, goes */
int share_file(uint64_t *pa, uint64_t bytes); /* the file that has this physical memory, and where; -1: none */

/* memory.c */
int memory_map(uint64_t va, uint64_t pa, uint64_t bytes, uint32_t protection);
int memory_unmap(uint64_t va, uint64_t bytes);
int memory_protect(uint64_t va, uint64_t bytes, uint32_t protection);
int memory_discard(uint64_t pa, uint64_t bytes);
bool memory_attach(void);
void *memory_physical(uint64_t pa, uint64_t bytes); /* for DMA; NULL = not (all) RAM */

/* bus.c: the devices, as the machine sees them */
void bus_reset(void);
/* An access by code of the machine: it takes time, and devices have done what was due before it. */
uint32_t bus_port(uint32_t port, uint32_t bytes, bool write, uint32_t value);
uint64_t bus_memory(uint64_t physical, uint32_t bytes, bool write, uint64_t value);
void bus_run(struct door_interrupts *interrupts);
/* After an access: must the kernel look at interrupts or time? */
bool bus_wants_kernel(void);

/* stacks.c */
int stacks_map(uint64_t slot, uint64_t count);
void stacks_discarded(uint64_t pa, uint64_t bytes); /* memory_discard tells: open guards there are closed again */
enum stacks_fault {
    STACKS_NOT,    /* not on a stack of the machine */
    STACKS_OPENED, /* was in the guard between the usable and the lowest page; it is open now */
    STACKS_BOTTOM, /* the lowest page, which never opens */
};
enum stacks_fault stacks_fault(uint64_t address);
bool stacks_prepare(uint64_t low, uint64_t high); /* open the guard if need be; false: not all on one mapped stack */
bool stacks_restore(const uint64_t *word, uint64_t now); /* a word snapshot_touch was told of: as it was again */
uint64_t stacks_emergency(void);                         /* top of a stack for traps that find none */

/* images.c */
void images_boot(void);      /* map the boot images; fills the door's image fields */
uint64_t images_entry(void); /* KiSystemStartup */
enum images_owner { IMAGES_NONE, IMAGES_KERNEL, IMAGES_DRIVER };
enum images_owner images_owner(uint64_t address); /* IMAGES_DRIVER: anything in the image range but the boot images */
int DOOR_CALL images_open(const char *source, uint32_t from_volume, uint32_t *id, struct door_image *image);
int DOOR_CALL images_map(uint32_t id, uint64_t va, const char *name, struct door_image *image);
int DOOR_CALL images_forget(uint64_t va);
uint64_t DOOR_CALL images_export(uint64_t va, const char *name);

/* door.c */
void door_fill(void);

/* snapshot.c: see there */
void snapshot_prepare(void);
void snapshot_register(void *at, size_t bytes);
void snapshot_register_table(void *at, size_t entry_bytes, const uint32_t *count);
void snapshot_touch(uint64_t *word);
void snapshot_given_back(void); /* pages of RAM were */
bool snapshot_present(void);
int snapshot_take(void);
void snapshot_restore(void) __attribute__((noreturn));

/* entry.S: call KiSystemStartup(door) on a stack of the machine */
void entry_boot(uint64_t stack, uint64_t entry, struct door *door) __attribute__((noreturn));
