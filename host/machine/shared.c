/*
 * Loads from KUSER_SHARED_DATA at the address drivers know, 0xFFFFF780'00000000, which no process of Linux can have
 * mapped. The loader rewrites the constants it finds; what is left faults and comes here.
 *
 * The register that holds the base (or index) is moved so that the operand falls on the page at DOOR_SHARED_DATA, the
 * one instruction is stepped, and the register moved back, unless the instruction loaded it. An absolute operand (mov
 * rax, [imm64]) is loaded by hand. What uses the base register's value besides for the address is not done: that is a
 * page fault.
 */
#define _GNU_SOURCE
#include "machine/operand.h"

#include <string.h>

#define UPPER 0xfffff78000000000ull
#define DELTA (DOOR_SHARED_DATA - UPPER)

static struct {
    bool active;
    unsigned place; /* of the register moved, REG_* */
    uint64_t moved; /* its value when the step began */
    bool advances;  /* string instruction: the register moves on by itself */
    bool stepping_before;
} step;

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(&step, sizeof(step));
}

static bool load_absolute(struct trap *t, const struct operand_instruction *in, uint64_t address)
{
    uint64_t value = 0;

    if (in->i.mnemonic != ZYDIS_MNEMONIC_MOV || in->operand[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        !trap_read(&value, address + DELTA, in->operand[0].size / 8))
        return false;
    operand_store(&t->reg[REG_RAX], value, in->operand[0].size);
    t->reg[REG_RIP] += in->i.length;
    return true;
}

static bool is_string(const struct operand_instruction *in)
{
    return in->i.meta.category == ZYDIS_CATEGORY_STRINGOP;
}

/* Does the instruction use the register other than as part of this address or as a plain destination? */
static bool uses_value(const struct operand_instruction *in, const ZydisDecodedOperand *memory, ZydisRegister name)
{
    for (unsigned i = 0; i < in->i.operand_count; i++) {
        const ZydisDecodedOperand *o = &in->operand[i];
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && o->actions & ZYDIS_OPERAND_ACTION_MASK_READ && !is_string(in) &&
            ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, o->reg.value) == name)
            return true;
        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o != memory && (o->mem.base == name || o->mem.index == name))
            return true;
    }
    return false;
}

bool shared_load(struct trap *t, uint64_t address)
{
    struct operand_instruction in;
    const ZydisDecodedOperand *memory = NULL;
    ZydisRegister name;
    uint8_t byte;

    if (!trap_read(&byte, address + DELTA, 1) || !operand_decode(t, &in))
        return false; /* the kernel has no page there yet, or code that cannot be read */
    for (unsigned i = 0; i < in.i.operand_count && !memory; i++)
        if (in.operand[i].type == ZYDIS_OPERAND_TYPE_MEMORY && in.operand[i].mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
            operand_address(t, &in, &in.operand[i]) - UPPER < DOOR_PAGE)
            memory = &in.operand[i];
    if (!memory)
        return false;
    name = memory->mem.base;
    if (name == ZYDIS_REGISTER_NONE && memory->mem.index == ZYDIS_REGISTER_NONE)
        return load_absolute(t, &in, address);
    if (!operand_of(t, name) || uses_value(&in, memory, name))
        return false;
    step.active = true;
    step.place = (unsigned)(operand_of(t, name) - t->reg);
    step.advances = is_string(&in);
    t->reg[step.place] += (greg_t)DELTA;
    step.moved = (uint64_t)t->reg[step.place];
    step.stepping_before = t->reg[REG_EFL] & (greg_t)TRAP_FLAG_STEP;
    t->reg[REG_EFL] |= (greg_t)TRAP_FLAG_STEP;
    return true;
}

static void put_back(struct trap *t)
{
    step.active = false;
    if (step.advances || (uint64_t)t->reg[step.place] == step.moved)
        t->reg[step.place] -= (greg_t)DELTA;
    if (!step.stepping_before)
        t->reg[REG_EFL] &= ~(greg_t)TRAP_FLAG_STEP;
}

bool shared_finish(struct trap *t)
{
    bool passed_on;

    if (!step.active)
        return false;
    passed_on = step.stepping_before;
    put_back(t);
    return !passed_on;
}

void shared_cancel(struct trap *t)
{
    if (step.active)
        put_back(t);
}
