/*
 * Traps: from a signal of the host to an instruction emulated or a trap of the machine.
 *
 * A handler runs on the alternate stack and always ends by returning: either to the interrupted code, changed, or to
 * the kernel's trap entry with a struct door_trap on the interrupted stack.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "loader/patch.h"
#include "machine/machine.h"

/* A trap being decided. */
struct trap {
    ucontext_t *uc;
    greg_t *reg; /* uc's general registers, REG_* */
    siginfo_t *info;
    uint8_t *area; /* of the running processor */
};

#define TRAP_FLAG_CARRY 0x1ull
#define TRAP_FLAG_STEP 0x100ull
#define TRAP_FLAG_INTERRUPT 0x200ull
#define TRAP_FLAG_DIRECTION 0x400ull
#define TRAP_FLAG_NESTED 0x4000ull
#define TRAP_FLAG_ALIGN 0x40000ull

/* The running processor's area, noted in machine.area: the kernel changes processors without us. A driver can load GS, which
 * no trap tells; the last area known is put back then. */
uint8_t *trap_area(void);

static inline uint64_t trap_rip(const struct trap *t)
{
    return (uint64_t)t->reg[REG_RIP];
}

void trap_install(void);

/* Make the interrupted context continue in the kernel's trap entry. Rip must already be what the kernel shall see. */
void trap_deliver(struct trap *t, uint32_t vector, uint32_t error, uint64_t address);

/* Copy machine memory from a handler; false when part of it cannot be read or written. */
bool trap_read(void *to, uint64_t from, size_t bytes);
bool trap_write(uint64_t to, const void *from, size_t bytes);

/* Bytes of the instruction at Rip, as many as can be read, at most 15. */
size_t trap_instruction(const struct trap *t, uint8_t bytes[15]);

static inline uint32_t *trap_interrupt_flag(const struct trap *t)
{
    return (uint32_t *)(t->area + DOOR_PCR_INTERRUPT_FLAG);
}

/* emulate.c: a general protection fault. True: done, or delivered as what it is. */
bool emulate_privileged(struct trap *t);
void emulate_time(struct trap *t, bool tells_processor); /* what rdtsc, or rdtscp, stores */
/* The address the instruction at Rip was about to touch and could not: not canonical, or misaligned. 0 = not known. */
uint64_t emulate_bad_address(struct trap *t);

/* marker.c: an instruction the patcher marked. */
extern struct patch_table marker_table;
bool marker_emulate(struct trap *t);

/* shared.c: loads from KUSER_SHARED_DATA at Windows' address. */
bool shared_load(struct trap *t, uint64_t address); /* true: goes on with the load redirected */
bool shared_finish(struct trap *t);                 /* the step after it; true: it was ours */
void shared_cancel(struct trap *t);                 /* anything else came instead of that step */

/* register.c: accesses to device memory. */
bool register_fault(struct trap *t,
                    uint64_t address); /* true: the instruction is under way, or something was delivered */
bool register_finish(struct trap *t);  /* the step after it; true: it was ours */
void register_cancel(struct trap *t);  /* anything else came instead of that step */

/* watchdog.c */
void watchdog_start(void);
void watchdog_tick(struct trap *t);
bool watchdog_step(struct trap *t); /* a single step; true: it was ours */
void watchdog_cancel(struct trap *t);
