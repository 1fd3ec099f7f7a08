/*
 * Instructions that fault in user mode because they are ring 0's. What hardware alone can answer is done here and Rip
 * moved on; what needs the kernel is delivered to it by its own vector; the rest is a general protection fault, as it
 * would be for code that is not allowed to do this.
 *
 * Registers whose change would change the machine itself (descriptor tables, system call entry, paging control) cannot
 * be written: a write of the value they have is accepted, any other is a general protection fault.
 */
#define _GNU_SOURCE
#include "machine/operand.h"
#include "machine/msr.h"

#include <string.h>

static uint64_t debug_register[8] = {0, 0, 0, 0, 0, 0, 0xffff0ff0, 0x400};

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(debug_register, sizeof(debug_register));
}

static bool skip(struct trap *t, const struct operand_instruction *in)
{
    t->reg[REG_RIP] += in->i.length;
    return true;
}

/* Rip behind the instruction, then the kernel. */
static bool hand_over(struct trap *t, const struct operand_instruction *in, uint32_t vector, uint64_t value)
{
    t->reg[REG_RIP] += in->i.length;
    trap_deliver(t, vector, 0, value);
    return true;
}

/* ---- mov to and from control and debug registers ------------------------------------------------------------------
 */

static bool move_control(struct trap *t, const struct operand_instruction *in)
{
    ZydisRegister to = in->operand[0].reg.value, from = in->operand[1].reg.value;
    bool write = ZydisRegisterGetClass(to) == ZYDIS_REGCLASS_CONTROL;
    unsigned number = (unsigned)((write ? to : from) - ZYDIS_REGISTER_CR0);
    greg_t *general = operand_of(t, write ? from : to);
    uint64_t value;

    if (!general)
        return false;
    if (number == 8 && write)
        return hand_over(t, in, DOOR_TRAP_WRITE_CR8, (uint64_t)*general);
    if (number == 8)
        value = t->area[DOOR_PCR_IRQL];
    else if (!msr_control(number, &value))
        return false;
    if (!write)
        *general = (greg_t)value;
    else if ((uint64_t)*general != value && number != 2)
        return false;
    return skip(t, in);
}

static bool move_debug(struct trap *t, const struct operand_instruction *in)
{
    ZydisRegister to = in->operand[0].reg.value, from = in->operand[1].reg.value;
    bool write = ZydisRegisterGetClass(to) == ZYDIS_REGCLASS_DEBUG;
    unsigned number = (unsigned)((write ? to : from) - ZYDIS_REGISTER_DR0);
    greg_t *general = operand_of(t, write ? from : to);

    if (!general || number > 7)
        return false;
    if (number == 4 || number == 5)
        number += 2;
    if (write)
        debug_register[number] = (uint64_t)*general;
    else
        *general = (greg_t)debug_register[number];
    return skip(t, in);
}

static bool emulate_move(struct trap *t, const struct operand_instruction *in)
{
    ZydisRegisterClass to = ZydisRegisterGetClass(in->operand[0].reg.value);
    ZydisRegisterClass from = ZydisRegisterGetClass(in->operand[1].reg.value);

    if (in->operand[0].type != ZYDIS_OPERAND_TYPE_REGISTER || in->operand[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    if (to == ZYDIS_REGCLASS_CONTROL || from == ZYDIS_REGCLASS_CONTROL)
        return move_control(t, in);
    if (to == ZYDIS_REGCLASS_DEBUG || from == ZYDIS_REGCLASS_DEBUG)
        return move_debug(t, in);
    return false;
}

/* ---- Model-specific registers and counters -------------------------------------------------------------------------
 */

static void store_pair(struct trap *t, uint64_t value)
{
    t->reg[REG_RAX] = (greg_t)(uint32_t)value;
    t->reg[REG_RDX] = (greg_t)(value >> 32);
}

static bool read_register(struct trap *t, const struct operand_instruction *in)
{
    uint64_t value;

    if (!msr_read(t, (uint32_t)t->reg[REG_RCX], &value))
        return false;
    store_pair(t, value);
    return skip(t, in);
}

static bool write_register(struct trap *t, const struct operand_instruction *in)
{
    uint64_t value, wanted = (uint32_t)t->reg[REG_RAX] | (uint64_t)t->reg[REG_RDX] << 32;

    if (!msr_read(t, (uint32_t)t->reg[REG_RCX], &value) || value != wanted)
        return false;
    return skip(t, in);
}

void emulate_time(struct trap *t, bool tells_processor)
{
    uint64_t processor;

    store_pair(t, msr_time_stamp());
    if (tells_processor && msr_read(t, 0xc0000103, &processor))
        t->reg[REG_RCX] = (greg_t)processor;
}

/* ---- Ports ----------------------------------------------------------------------------------------------------- */

/* Size and port of in and out: the register operand's size; an immediate port or DX. */
static uint32_t port_of(const struct trap *t, const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? (uint8_t)operand->imm.value.u : (uint16_t)t->reg[REG_RDX];
}

/* An access to a device is behind us, which may have brought an interrupt. */
static bool accessed(struct trap *t, const struct operand_instruction *in)
{
    return bus_wants_kernel() ? hand_over(t, in, DOOR_TRAP_DEVICE, 0) : skip(t, in);
}

static bool port_in(struct trap *t, const struct operand_instruction *in)
{
    unsigned bits = in->operand[0].size;

    operand_store(&t->reg[REG_RAX], bus_port(port_of(t, &in->operand[1]), bits / 8, false, 0), bits);
    return accessed(t, in);
}

static bool port_out(struct trap *t, const struct operand_instruction *in)
{
    unsigned bits = in->operand[1].size;
    uint32_t value = (uint32_t)t->reg[REG_RAX];

    if (bits < 32)
        value &= (1u << bits) - 1;
    bus_port(port_of(t, &in->operand[0]), bits / 8, true, value);
    return accessed(t, in);
}

/* Can the element be stored there? Asked before the port is read, which cannot be undone. */
static bool can_write(uint64_t address, unsigned bytes)
{
    uint32_t value;

    return trap_read(&value, address, bytes) && trap_write(address, &value, bytes);
}

/* ins, outs: one element after the other, so that a page fault in the middle leaves registers as a processor does. */
static bool port_string(struct trap *t, const struct operand_instruction *in, bool input)
{
    unsigned bytes = in->operand[input ? 0 : 1].size / 8;
    greg_t *at = &t->reg[input ? REG_RDI : REG_RSI];
    bool repeat = in->i.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
    greg_t step = t->reg[REG_EFL] & (greg_t)TRAP_FLAG_DIRECTION ? -(greg_t)bytes : (greg_t)bytes;
    uint32_t value = 0, port = (uint16_t)t->reg[REG_RDX];

    if (in->i.address_width != 64)
        return false;
    while (!repeat || t->reg[REG_RCX]) {
        if (input ? !can_write((uint64_t)*at, bytes) : !trap_read(&value, (uint64_t)*at, bytes)) {
            trap_deliver(t, DOOR_TRAP_PAGE_FAULT, input ? 2 : 0, (uint64_t)*at);
            return true;
        }
        value = bus_port(port, bytes, !input, value);
        if (input)
            trap_write((uint64_t)*at, &value, bytes);
        *at += step;
        if (!repeat)
            break;
        t->reg[REG_RCX]--;
    }
    return accessed(t, in);
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

static bool software_interrupt(struct trap *t, const struct operand_instruction *in)
{
    uint32_t number = (uint8_t)in->operand[0].imm.value.u;

    switch (number) {
    case 3:
        trap_deliver(t, DOOR_TRAP_BREAKPOINT, 0, 0);
        return true;
    case DOOR_TRAP_FAST_FAIL:
    case DOOR_TRAP_ASSERT:
    case DOOR_TRAP_DEBUG_SERVICE:
        trap_deliver(t, number, 0, 0);
        return true;
    }
    return false;
}

bool emulate_privileged(struct trap *t)
{
    struct operand_instruction in;

    if (!operand_decode(t, &in))
        return false;
    switch (in.i.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        return emulate_move(t, &in);
    case ZYDIS_MNEMONIC_CLI:
        *trap_interrupt_flag(t) = 0;
        return skip(t, &in);
    case ZYDIS_MNEMONIC_STI:
        return hand_over(t, &in, DOOR_TRAP_ENABLE_INTERRUPTS, 0);
    case ZYDIS_MNEMONIC_HLT:
        return hand_over(t, &in, DOOR_TRAP_HALT, 0);
    case ZYDIS_MNEMONIC_INT:
        return software_interrupt(t, &in);
    case ZYDIS_MNEMONIC_RDMSR:
        return read_register(t, &in);
    case ZYDIS_MNEMONIC_WRMSR:
        return write_register(t, &in);
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
        emulate_time(t, in.i.mnemonic == ZYDIS_MNEMONIC_RDTSCP);
        return skip(t, &in);
    case ZYDIS_MNEMONIC_RDPMC:
        store_pair(t, 0); /* no counter is running */
        return skip(t, &in);
    case ZYDIS_MNEMONIC_IN:
        return port_in(t, &in);
    case ZYDIS_MNEMONIC_OUT:
        return port_out(t, &in);
    case ZYDIS_MNEMONIC_INSB:
    case ZYDIS_MNEMONIC_INSW:
    case ZYDIS_MNEMONIC_INSD:
        return port_string(t, &in, true);
    case ZYDIS_MNEMONIC_OUTSB:
    case ZYDIS_MNEMONIC_OUTSW:
    case ZYDIS_MNEMONIC_OUTSD:
        return port_string(t, &in, false);
    case ZYDIS_MNEMONIC_INVLPG: /* caches and the TLB: there is nothing behind them that could be stale */
    case ZYDIS_MNEMONIC_INVPCID:
    case ZYDIS_MNEMONIC_WBINVD:
    case ZYDIS_MNEMONIC_INVD:
    case ZYDIS_MNEMONIC_CLTS: /* CR0.TS is always clear */
        return skip(t, &in);
    default:
        return false;
    }
}

/* ---- What was it that faulted -------------------------------------------------------------------------------------
 */

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

uint64_t emulate_bad_address(struct trap *t)
{
    struct operand_instruction in;

    if (!is_canonical(trap_rip(t)))
        return trap_rip(t);
    if (!operand_decode(t, &in))
        return 0;
    for (unsigned i = 0; i < in.i.operand_count; i++) {
        uint64_t address;
        if (in.operand[i].type != ZYDIS_OPERAND_TYPE_MEMORY || in.operand[i].mem.type == ZYDIS_MEMOP_TYPE_AGEN)
            continue;
        address = operand_address(t, &in, &in.operand[i]);
        if (!is_canonical(address) || address % 16)
            return address;
    }
    return 0;
}
