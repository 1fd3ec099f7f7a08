/*
 * Accesses to memory as delivery points, for the explorer (image_mapper.points).
 *
 * An instruction that may touch memory shared with another flow gets a stub like the hot ones do. In front of the moved
 * instruction the stub counts down to the next delivery point and, when it is due, calls door_up.access with the address
 * about to be touched and a struct door_access behind the call. Nothing is written over flags or registers.
 *
 * Not taken for shared: what is addressed through RSP, the segments GS and FS, the import table, and sections that cannot
 * be written. The stack reached through other registers is sorted out by the kernel, cheaply.
 *
 * A load, some arithmetic and a store to the same place is what a compiler makes of `volatile LONG n; n++`. The store of
 * such a group is marked: whatever anybody writes in between is lost.
 */
#include "patch_work.h"

#define GROUP_MOST 8u /* instructions from the load to the store */

struct operand {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand all[ZYDIS_MAX_OPERAND_COUNT];
    const ZydisDecodedOperand *memory;
};

/* ---- Which ------------------------------------------------------------------------------------------------------ */

static uint32_t bit_of(ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    return whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15 ? 1u << (whole - ZYDIS_REGISTER_RAX) : 0;
}

static bool writes(const ZydisDecodedOperand *operand)
{
    return operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
}

static bool may_be_shared(const ZydisDecodedOperand *operand)
{
    const ZydisDecodedOperandMem *m = &operand->mem;
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY && m->type == ZYDIS_MEMOP_TYPE_MEM &&
           m->segment != ZYDIS_REGISTER_GS && m->segment != ZYDIS_REGISTER_FS && m->base != ZYDIS_REGISTER_RSP &&
           operand->size >= 8 && operand->size <= 512;
}

static bool in_writable_section(const struct patch_work *w, uint64_t rva)
{
    uint32_t count;
    const struct pe_section *section = pe_sections(w->file, &count);
    for (; count; count--, section++)
        if (rva >= section->rva && rva - section->rva < pe_section_bytes(section))
            return section->characteristics & PE_SCN_WRITE;
    return false;
}

/* By 64-bit registers, or the instruction's place: what put_address can write. */
static bool is_addressable(const struct operand *o)
{
    const ZydisDecodedOperandMem *m = &o->memory->mem;
    return o->insn.address_width == 64 && (m->index == ZYDIS_REGISTER_NONE || bit_of(m->index)) &&
           (m->base == ZYDIS_REGISTER_RIP || bit_of(m->base) ||
            (m->base == ZYDIS_REGISTER_NONE && m->disp.value == (int32_t)m->disp.value));
}

/* Constant while the driver runs: imports, constants. */
static bool is_constant(const struct patch_work *w, uint32_t rva, const struct operand *o)
{
    if (o->memory->mem.base != ZYDIS_REGISTER_RIP)
        return false;
    uint64_t to = (uint64_t)rva + o->insn.length + (uint64_t)o->memory->mem.disp.value;
    return (to >= w->imports_low && to < w->imports_high) || !in_writable_section(w, to);
}

static bool touches_nothing(const ZydisDecodedInstruction *insn)
{
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH:
    case ZYDIS_CATEGORY_CLFLUSHOPT:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_XSAVE:
        return true;
    default:
        return insn->mnemonic == ZYDIS_MNEMONIC_CLFLUSH || insn->mnemonic == ZYDIS_MNEMONIC_INVLPG;
    }
}

static bool decode(const struct patch_work *w, uint32_t rva, struct operand *o)
{
    o->memory = NULL;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&w->full, w->memory + rva, w->high - rva, &o->insn, o->all)))
        return false;
    if (touches_nothing(&o->insn))
        return true;
    for (unsigned i = 0; i < o->insn.operand_count; i++)
        if (may_be_shared(&o->all[i]) && (!o->memory || (writes(&o->all[i]) && !writes(o->memory))))
            o->memory = &o->all[i];
    return true;
}

bool patch_is_access(const struct patch_work *w, const patch_insn *insn, uint32_t rva)
{
    struct operand o;
    if (!w->mapper->points || insn->mnemonic == ZYDIS_MNEMONIC_LEA)
        return false;
    return decode(w, rva, &o) && o.memory && is_addressable(&o) && !is_constant(w, rva, &o);
}

/* ---- Load, change, store ---------------------------------------------------------------------------------------- */

/* Registers in an operand: the ones a value is made of. */
static uint32_t bits_of(const ZydisDecodedOperand *operand)
{
    if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
        return bit_of(operand->reg.value);
    if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
        return bit_of(operand->mem.base) | bit_of(operand->mem.index);
    return 0;
}

static bool same_place(const struct operand *a, uint32_t a_rva, const struct operand *b, uint32_t b_rva)
{
    const ZydisDecodedOperandMem *x = &a->memory->mem, *y = &b->memory->mem;
    int64_t shift = x->base == ZYDIS_REGISTER_RIP ? (int64_t)a_rva + a->insn.length - b_rva - b->insn.length : 0;
    return x->base == y->base && x->index == y->index && x->scale == y->scale &&
           x->disp.value + shift == y->disp.value && a->memory->size == b->memory->size;
}

static uint32_t written(const struct operand *o)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < o->insn.operand_count; i++)
        if (o->all[i].type == ZYDIS_OPERAND_TYPE_REGISTER && writes(&o->all[i]))
            bits |= bit_of(o->all[i].reg.value);
    return bits;
}

/* What `changed`, the registers that hold something made from the loaded value, become by this instruction. */
static uint32_t after(const struct operand *o, uint32_t changed)
{
    uint32_t from = 0, to = written(o);
    for (unsigned i = 0; i < o->insn.operand_count; i++)
        if (o->all[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ || o->all[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            from |= bits_of(&o->all[i]);
    return from & changed ? changed | to : changed & ~to;
}

uint32_t patch_store_of_group(const struct patch_work *w, uint32_t rva, uint32_t high)
{
    struct operand load, o;
    if (!w->mapper->points || !decode(w, rva, &load) || !load.memory || writes(load.memory) ||
        load.all[0].type != ZYDIS_OPERAND_TYPE_REGISTER || load.insn.meta.category != ZYDIS_CATEGORY_DATAXFER)
        return 0;
    uint32_t place = bit_of(load.memory->mem.base) | bit_of(load.memory->mem.index);
    uint32_t changed = bit_of(load.all[0].reg.value);
    if (changed & place)
        return 0;
    uint32_t at = rva + load.insn.length;
    for (unsigned i = 0; i < GROUP_MOST && at < high && changed; i++, at += o.insn.length) {
        if (!decode(w, at, &o) || o.insn.raw.imm[0].is_relative || patch_is_unconditional(&o.insn))
            return 0;
        if (o.memory && writes(o.memory) && same_place(&load, rva, &o, at))
            return o.insn.mnemonic == ZYDIS_MNEMONIC_MOV && bits_of(&o.all[1]) & changed ? at : 0;
        if (written(&o) & place)
            return 0;
        changed = after(&o, changed);
    }
    return 0;
}

/* ---- The code --------------------------------------------------------------------------------------------------- */

static void describe(const struct patch_work *w, const struct operand *o, uint32_t rva, struct door_access *access)
{
    const ZydisDecodedOperand *from = &o->all[1];
    bool write = writes(o->memory), read = o->memory->actions & ZYDIS_OPERAND_ACTION_MASK_READ;

    *access = (struct door_access){.bytes = (uint8_t)(o->memory->size / 8), .value = DOOR_VALUE_UNKNOWN};
    access->flags = (write ? DOOR_ACCESS_WRITE : 0) | (read ? DOOR_ACCESS_READ : 0);
    if (o->insn.attributes & (ZYDIS_ATTRIB_HAS_LOCK) || o->insn.mnemonic == ZYDIS_MNEMONIC_XCHG)
        access->flags |= DOOR_ACCESS_ATOMIC;
    if (o->insn.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE))
        access->flags |= DOOR_ACCESS_REPEATED;
    if (patch_bit(w, w->update, rva))
        access->flags |= DOOR_ACCESS_UPDATE;
    if (!write || read || o->insn.mnemonic != ZYDIS_MNEMONIC_MOV)
        return;
    if (from->type == ZYDIS_OPERAND_TYPE_REGISTER && bit_of(from->reg.value) && from->reg.value != ZYDIS_REGISTER_AH &&
        from->reg.value != ZYDIS_REGISTER_BH && from->reg.value != ZYDIS_REGISTER_CH &&
        from->reg.value != ZYDIS_REGISTER_DH)
        access->value = (uint8_t)__builtin_ctz(bit_of(from->reg.value));
    else if (from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        access->value = DOOR_VALUE_CONSTANT;
        access->constant = (int32_t)from->imm.value.s;
    }
}

/* lea rcx, [the operand], with the largest forms throughout. */
static bool put_address(struct patch_work *w, const struct operand *o, uint32_t rva)
{
    const ZydisDecodedOperandMem *m = &o->memory->mem;
    uint32_t base = bit_of(m->base) ? (uint32_t)__builtin_ctz(bit_of(m->base)) : 0;
    uint32_t index = bit_of(m->index) ? (uint32_t)__builtin_ctz(bit_of(m->index)) : 4;
    int64_t disp = m->disp.value;

    if (m->base == ZYDIS_REGISTER_RIP) {
        disp = (int64_t)rva + o->insn.length + disp - (w->out + 7);
        patch_put(w, (const uint8_t[]){0x48, 0x8d, 0x0d}, 3);
    } else {
        uint32_t scale = m->scale ? (uint32_t)__builtin_ctz(m->scale) : 0;
        bool none = m->base == ZYDIS_REGISTER_NONE;
        const uint8_t code[4] = {(uint8_t)(0x48 | (index >> 3) << 1 | base >> 3), 0x8d, none ? 0x0c : 0x8c,
                                 (uint8_t)(scale << 6 | (index & 7) << 3 | (none ? 5 : base & 7))};
        patch_put(w, code, 4);
    }
    int32_t disp32 = (int32_t)disp;
    patch_put(w, &disp32, 4);
    return disp == disp32;
}

bool patch_put_access(struct patch_work *w, uint32_t rva)
{
    struct operand o;
    struct door_access access;
    static const uint8_t count[] = {
        0x65, 0x8b, 0x0c, 0x25, DOOR_PCR_BUDGET & 0xff, DOOR_PCR_BUDGET >> 8, 0, 0, /* mov ecx, gs: */
        0x8d, 0x49, 0xff,                                                           /* lea ecx, [rcx - 1] */
        0x65, 0x89, 0x0c, 0x25, DOOR_PCR_BUDGET & 0xff, DOOR_PCR_BUDGET >> 8, 0, 0, /* mov gs:, ecx */
        0xe3, 0x02,                                                                 /* jrcxz over the jump */
        0xeb, 0x00,                                                                 /* jmp to the pop */
        0x48, 0x8b, 0x0c, 0x24};                                                    /* mov rcx, [rsp] */
    if (!decode(w, rva, &o) || !o.memory)
        return false;
    describe(w, &o, rva, &access);
    patch_put(w, (const uint8_t[]){0x51}, 1); /* push rcx */
    patch_entry(w, rva, 8);
    patch_put(w, count, sizeof count);
    uint32_t jump = w->out - 4;
    if (!put_address(w, &o, rva))
        return false;
    patch_call_access(w);
    patch_entry(w, rva, 8);
    patch_put(w, &access, sizeof access);
    w->memory[jump - 1] = (uint8_t)(w->out - jump);
    patch_put(w, (const uint8_t[]){0x59}, 1); /* pop rcx */
    patch_entry(w, rva, 0);
    return true;
}

/* ---- Room ------------------------------------------------------------------------------------------------------- */

/* A stub has some 80 bytes and 60 of entries, and about each third instruction of four bytes gets one. What has no room
 * stays as it is. */
uint32_t patch_points_room(const struct image_file *file)
{
    uint32_t count, code = 0;
    const struct pe_section *section = pe_sections(file, &count);
    for (; count; count--, section++)
        if (section->characteristics & PE_SCN_EXECUTE)
            code += pe_section_file_bytes(file, section);
    return (uint32_t)(((uint64_t)(code < (2u << 20) ? code : 2u << 20) * 24 + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1));
}

void patch_note_imports(struct patch_work *w)
{
    struct image_import cursor = {0};
    w->imports_low = w->imports_high = 0;
    while (w->mapper->points && image_import_next(w->file, &cursor)) {
        if (!w->imports_high || cursor.slot < w->imports_low)
            w->imports_low = cursor.slot;
        if (cursor.slot + 8 > w->imports_high)
            w->imports_high = cursor.slot + 8;
    }
}
