/*
 * Kernel stacks and their guards.
 *
 * A slot is 64 KiB; the top 24 KiB are usable at once, as on Windows. Below lies a guard: code of a driver that reaches
 * it has overflowed its stack. Kernel and host code that a driver called may need more than Windows' would, so for them
 * the guard opens silently, all but the lowest page. It closes again at the next trap that finds the stack pointer
 * above it, and when the stack's memory is discarded.
 *
 * Guards are installed by madvise where the kernel can (Linux 6.15 for shared memory): that costs no mapping. Else
 * mprotect, which is limited by vm.max_map_count to some 32,000 stacks.
 *
 * The last slot is not the kernel's: it is the emergency stack, for traps that interrupted code whose RSP is no stack.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "sandbox/syscall.h"

#define STACKS_LIMIT (1u << 22)
#define STACKS_GUARD (DOOR_STACK_SLOT - DOOR_STACK_USABLE)

#define MADVISE_GUARD_INSTALL 102
#define MADVISE_GUARD_REMOVE 103

static uint64_t mapped[STACKS_LIMIT / 64], opened[STACKS_LIMIT / 64];
static bool by_protection; /* guards by mprotect */

static bool bit(const uint64_t *set, uint64_t slot)
{
    return set[slot / 64] >> slot % 64 & 1;
}

static void bit_set(uint64_t *set, uint64_t slot)
{
    snapshot_touch(&set[slot / 64]);
    set[slot / 64] |= 1ull << slot % 64;
}

static void bit_clear(uint64_t *set, uint64_t slot)
{
    snapshot_touch(&set[slot / 64]);
    set[slot / 64] &= ~(1ull << slot % 64);
}

static uint64_t address_of(uint64_t slot)
{
    return DOOR_STACK_BASE + slot * DOOR_STACK_SLOT;
}

static bool guard_close(uint64_t slot)
{
    uint64_t va = address_of(slot);

    if (!by_protection) {
        if (sandbox_syscall(SYS_madvise, (long)va, STACKS_GUARD, MADVISE_GUARD_INSTALL, 0, 0, 0) == 0)
            return true;
        by_protection = true;
    }
    return sandbox_syscall(SYS_mprotect, (long)va, STACKS_GUARD, PROT_NONE, 0, 0, 0) == 0;
}

static bool guard_open(uint64_t slot)
{
    uint64_t va = address_of(slot) + DOOR_PAGE;
    uint64_t bytes = STACKS_GUARD - DOOR_PAGE;

    if (by_protection)
        return sandbox_syscall(SYS_mprotect, (long)va, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0) == 0;
    return sandbox_syscall(SYS_madvise, (long)va, (long)bytes, MADVISE_GUARD_REMOVE, 0, 0, 0) == 0;
}

/* Guards are where the word says again. Mappings are not our concern: stacks that were not there then go with theirs. */
bool stacks_restore(const uint64_t *word, uint64_t now)
{
    uint64_t index = (uint64_t)(word - opened);

    if (word < opened || index >= STACKS_LIMIT / 64)
        return true;
    for (uint64_t left = *word ^ now; left; left &= left - 1) {
        uint64_t slot = index * 64 + (uint64_t)__builtin_ctzll(left);
        if (bit(mapped, slot) && !(bit(opened, slot) ? guard_open(slot) : guard_close(slot)))
            return false;
    }
    return true;
}

static int slots_map(uint64_t slot, uint64_t count)
{
    int error = memory_map(address_of(slot), DOOR_STACK_PA + slot * DOOR_STACK_SLOT, count * DOOR_STACK_SLOT,
                           DOOR_READ | DOOR_WRITE);

    for (uint64_t i = slot; !error && i < slot + count; i++) {
        if (!guard_close(i)) {
            memory_unmap(address_of(slot), count * DOOR_STACK_SLOT);
            return DOOR_NO_MEMORY;
        }
    }
    for (uint64_t i = slot; !error && i < slot + count; i++) {
        bit_set(mapped, i);
        bit_clear(opened, i);
    }
    return error;
}

int stacks_map(uint64_t slot, uint64_t count)
{
    if (!count || slot >= STACKS_LIMIT - 1 || count > STACKS_LIMIT - 1 - slot)
        return DOOR_NO_MEMORY;
    return slots_map(slot, count);
}

uint64_t stacks_emergency(void)
{
    uint64_t slot = STACKS_LIMIT - 1;

    if (!bit(mapped, slot)) {
        if (slots_map(slot, 1) != DOOR_OK || !guard_open(slot))
            machine_internal("no memory for the emergency stack", 0, 0, 0);
        bit_set(opened, slot);
    }
    return address_of(slot + 1);
}

void stacks_discarded(uint64_t pa, uint64_t bytes)
{
    uint64_t first = (pa - DOOR_STACK_PA) / DOOR_STACK_SLOT;
    uint64_t last = (pa - DOOR_STACK_PA + bytes - 1) / DOOR_STACK_SLOT;

    for (uint64_t slot = first; slot <= last && slot < STACKS_LIMIT - 1; slot++) {
        if (bit(mapped, slot) && bit(opened, slot) && guard_close(slot))
            bit_clear(opened, slot);
    }
}

enum stacks_fault stacks_fault(uint64_t address)
{
    uint64_t slot = (address - DOOR_STACK_BASE) / DOOR_STACK_SLOT;
    uint64_t offset = address % DOOR_STACK_SLOT;

    if (address < DOOR_STACK_BASE || slot >= STACKS_LIMIT || !bit(mapped, slot) || offset >= STACKS_GUARD)
        return STACKS_NOT;
    if (offset < DOOR_PAGE)
        return STACKS_BOTTOM;
    if (bit(opened, slot) || !guard_open(slot))
        return STACKS_NOT;
    bit_set(opened, slot);
    return STACKS_OPENED;
}

bool stacks_prepare(uint64_t low, uint64_t high)
{
    uint64_t slot = (low - DOOR_STACK_BASE) / DOOR_STACK_SLOT;

    if (low < DOOR_STACK_BASE || slot >= STACKS_LIMIT || !bit(mapped, slot) || high <= low ||
        high > address_of(slot + 1) || low % DOOR_STACK_SLOT < DOOR_PAGE)
        return false;
    if (low % DOOR_STACK_SLOT < STACKS_GUARD && !bit(opened, slot)) {
        if (!guard_open(slot))
            return false;
        bit_set(opened, slot);
    } else if (low % DOOR_STACK_SLOT >= STACKS_GUARD && bit(opened, slot) && slot != STACKS_LIMIT - 1 &&
               guard_close(slot)) {
        bit_clear(opened, slot); /* nothing lives below the stack pointer */
    }
    return true;
}
