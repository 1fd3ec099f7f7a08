/*
 * Instructions that answer for the host instead of faulting, marked by the patcher: their first byte became hlt.
 * Emulated here from the original bytes, with the answers of the machine's own processor.
 */
#define _GNU_SOURCE
#include "machine/operand.h"
#include "machine/msr.h"

#include <string.h>

/* Where the descriptor tables of a processor would lie: behind its area's public part, so that pointers look like ones.
 */
#define TABLE_LIMIT_GDT 0x57
#define TABLE_LIMIT_IDT 0xfff
#define SELECTOR_TASK 0x40

static uint64_t random_state;

/* The numbers of rdrand and rdseed come from the machine's seed. (The mixing steps are those of SplitMix64, public
 * domain, by Sebastiano Vigna.) */
static uint64_t random_next(void)
{
    uint64_t z;

    if (!random_state)
        random_state = machine.door.seed + 0x9e3779b97f4a7c15ull;
    z = random_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(&random_state, sizeof(random_state));
}

/* Store to the first operand, register or memory. False: a trap was delivered in its place. */
static bool store(struct trap *t, const struct operand_instruction *in, const void *value, unsigned bytes, bool extends)
{
    const ZydisDecodedOperand *to = &in->operand[0];
    uint64_t number = 0, address;

    if (to->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        memcpy(&number, value, bytes);
        operand_store(operand_of(t, to->reg.value), number, extends ? to->size : 8 * bytes);
        return true;
    }
    address = operand_address(t, in, to);
    if (trap_write(address, value, bytes))
        return true;
    trap_deliver(t, DOOR_TRAP_PAGE_FAULT, 2, address);
    return false;
}

static void store_random(struct trap *t, const struct operand_instruction *in)
{
    operand_store(operand_of(t, in->operand[0].reg.value), random_next(), in->operand[0].size);
    t->reg[REG_EFL] = (t->reg[REG_EFL] & ~0x8d5ll) | (greg_t)TRAP_FLAG_CARRY; /* CF: valid; OF SF ZF AF PF: 0 */
}

static bool store_table(struct trap *t, const struct operand_instruction *in, uint16_t limit, uint64_t offset)
{
    uint8_t image[10];
    uint64_t base = (uint64_t)t->area + offset;

    memcpy(image, &limit, 2);
    memcpy(image + 2, &base, 8);
    return store(t, in, image, sizeof(image), false);
}

static bool store_word(struct trap *t, const struct operand_instruction *in, uint64_t value)
{
    return store(t, in, &value, in->operand[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? in->operand[0].size / 8 : 2, true);
}

static bool push_flags(struct trap *t, const struct operand_instruction *in)
{
    unsigned bytes = in->i.operand_width == 16 ? 2 : 8;
    uint64_t flags = (uint64_t)t->reg[REG_EFL] & ~(TRAP_FLAG_STEP | TRAP_FLAG_INTERRUPT);
    uint64_t to = (uint64_t)t->reg[REG_RSP] - bytes;

    flags |= *trap_interrupt_flag(t) ? TRAP_FLAG_INTERRUPT : 0;
    if (!trap_write(to, &flags, bytes)) {
        trap_deliver(t, DOOR_TRAP_PAGE_FAULT, 2, to);
        return false;
    }
    t->reg[REG_RSP] = (greg_t)to;
    return true;
}

/* Rip is already behind the instruction when the kernel has to hear that interrupts are on again. */
static bool pop_flags(struct trap *t, const struct operand_instruction *in)
{
    const uint64_t changeable = 0x240dd5 & ~TRAP_FLAG_STEP; /* CF PF AF ZF SF DF OF AC ID */
    unsigned bytes = in->i.operand_width == 16 ? 2 : 8;
    uint64_t flags = 0, mask = bytes == 2 ? changeable & 0xffff : changeable;
    bool enabled = *trap_interrupt_flag(t);

    if (!trap_read(&flags, (uint64_t)t->reg[REG_RSP], bytes)) {
        trap_deliver(t, DOOR_TRAP_PAGE_FAULT, 0, (uint64_t)t->reg[REG_RSP]);
        return false;
    }
    t->reg[REG_RSP] += bytes;
    t->reg[REG_EFL] = (greg_t)(((uint64_t)t->reg[REG_EFL] & ~mask) | (flags & mask));
    if (enabled && !(flags & TRAP_FLAG_INTERRUPT))
        *trap_interrupt_flag(t) = 0;
    if (!enabled && flags & TRAP_FLAG_INTERRUPT) {
        t->reg[REG_RIP] += in->i.length;
        trap_deliver(t, DOOR_TRAP_ENABLE_INTERRUPTS, 0, 0);
        return false;
    }
    return true;
}

static bool identify(struct trap *t)
{
    uint32_t out[4];

    msr_cpuid((uint32_t)t->reg[REG_RAX], (uint32_t)t->reg[REG_RCX], out, t);
    t->reg[REG_RAX] = out[0];
    t->reg[REG_RBX] = out[1];
    t->reg[REG_RCX] = out[2];
    t->reg[REG_RDX] = out[3];
    return true;
}

/* True: done, Rip still to be moved. False: a trap was delivered. */
static bool carry_out(struct trap *t, const struct operand_instruction *in, uint8_t kind)
{
    uint64_t value = 0;

    switch (kind) {
    case PATCH_CPUID:
        return identify(t);
    case PATCH_RDTSC:
        emulate_time(t, in->i.mnemonic == ZYDIS_MNEMONIC_RDTSCP);
        return true;
    case PATCH_RDRAND:
    case PATCH_RDSEED:
        store_random(t, in);
        return true;
    case PATCH_RDPID:
        msr_read(t, 0xc0000103, &value);
        return store(t, in, &value, 8, false);
    case PATCH_SGDT:
        return store_table(t, in, TABLE_LIMIT_GDT, 0x3000);
    case PATCH_SIDT:
        return store_table(t, in, TABLE_LIMIT_IDT, 0x2000);
    case PATCH_SLDT:
        return store_word(t, in, 0);
    case PATCH_STR:
        return store_word(t, in, SELECTOR_TASK);
    case PATCH_SMSW:
        msr_control(0, &value);
        return store_word(t, in, value);
    case PATCH_PUSHF:
        return push_flags(t, in);
    case PATCH_POPF:
        return pop_flags(t, in);
    case PATCH_PAUSE:
        t->reg[REG_RIP] += in->i.length;
        trap_deliver(t, DOOR_TRAP_PAUSE, 0, 0);
        return false;
    default: /* xgetbv: CR4.OSXSAVE is 0 in this machine */
        trap_deliver(t, DOOR_TRAP_INVALID_OPCODE, 0, 0);
        return false;
    }
}

bool marker_emulate(struct trap *t)
{
    const struct patch_site *site = patch_find(&marker_table, trap_rip(t));
    struct operand_instruction in;

    if (!site)
        return false;
    if (!operand_decode_bytes(site->bytes, site->length, &in))
        machine_internal("a marker at %X cannot be decoded", site->va, 0, 0);
    if (carry_out(t, &in, site->kind))
        t->reg[REG_RIP] += in.i.length;
    return true;
}
