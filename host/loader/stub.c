/*
 * Stubs: code moved out of a driver, with the hot instructions replaced by what they mean to the simulated processor.
 *
 * A stub is the moved instructions in order, then a jump back. Registers and flags come out as the original would have
 * left them, except that mov to cr8 leaves flags undefined, as the processor does. Windows code has no red zone, so
 * stubs may push. No return address ever points into a stub except during the calls into the kernel: a moved call
 * pushes the address behind the original by hand and jumps, so unwinding through it sees only original code.
 *
 * Each instruction gets a struct door_stub entry with which the kernel's unwinder finds back to the original.
 */
#include "patch_work.h"

#define STUB_BYTES_MAX 96u /* of one moved instruction, with its entries */
#define ENTRIES_MAX 6u     /* of one moved instruction */

/* Indices in struct door_stubs.target. */
enum { CALL_WRITE_CR8, CALL_ENABLE_INTERRUPTS, CALL_PAUSE, CALL_ACCESS };

void patch_put(struct patch_work *w, const void *bytes, size_t size)
{
    memcpy(w->memory + w->out, bytes, size);
    w->out += (uint32_t)size;
}

#define PUT(w, ...) patch_put(w, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void put_u32(struct patch_work *w, uint32_t value)
{
    patch_put(w, &value, sizeof value);
}

static bool put_rel32(struct patch_work *w, uint64_t to)
{
    int64_t distance = (int64_t)(to - ((uint64_t)w->out + 4));
    put_u32(w, (uint32_t)distance);
    return distance == (int32_t)distance;
}

/* From here on the stub stands for the original at rva. */
void patch_entry(struct patch_work *w, uint32_t original, uint32_t pushed)
{
    struct door_stub stub = {.rva = w->out, .original = original, .pushed = pushed};
    w->out_end -= sizeof stub;
    w->stub_count++;
    memcpy(w->memory + w->out_end, &stub, sizeof stub);
}

static void call_kernel(struct patch_work *w, int index)
{
    PUT(w, 0xff, 0x15); /* call [rip + disp32] */
    put_rel32(w, w->file->info.bytes + offsetof(struct door_stubs, target) + 8 * index);
}

void patch_call_access(struct patch_work *w)
{
    call_kernel(w, CALL_ACCESS);
}

/* ---- The replacements ------------------------------------------------------------------------------------------- */

/* movzx r32, byte gs:[IRQL] */
static void put_read_cr8(struct patch_work *w, unsigned gpr)
{
    PUT(w, 0x65);
    if (gpr >= 8)
        PUT(w, 0x44);
    PUT(w, 0x0f, 0xb6, 0x04 | (gpr & 7) << 3, 0x25);
    put_u32(w, DOOR_PCR_IRQL);
}

/* push r; call [write_cr8]; lea rsp, [rsp + 8] */
static void put_write_cr8(struct patch_work *w, unsigned gpr, uint32_t rva, uint32_t behind)
{
    if (gpr >= 8)
        PUT(w, 0x41);
    PUT(w, 0x50 | (gpr & 7));
    patch_entry(w, rva, 8);
    call_kernel(w, CALL_WRITE_CR8);
    patch_entry(w, behind, 8);
    PUT(w, 0x48, 0x8d, 0x64, 0x24, 0x08);
}

/* mov dword gs:[INTERRUPT_FLAG], 0 */
static void put_cli(struct patch_work *w)
{
    PUT(w, 0x65, 0xc7, 0x04, 0x25);
    put_u32(w, DOOR_PCR_INTERRUPT_FLAG);
    put_u32(w, 0);
}

static void put_call(struct patch_work *w, int index, uint32_t behind)
{
    call_kernel(w, index);
    patch_entry(w, behind, 0);
}

/* pushfq, then put the simulated IF into the pushed word; the flags themselves come back from there. */
static void put_pushf(struct patch_work *w)
{
    PUT(w, 0x9c);
    PUT(w, 0x81, 0x24, 0x24, 0xff, 0xfd, 0xff, 0xff); /* and dword [rsp], ~200h */
    PUT(w, 0x65, 0xf6, 0x04, 0x25);                   /* test byte gs:[INTERRUPT_FLAG], 1 */
    put_u32(w, DOOR_PCR_INTERRUPT_FLAG);
    PUT(w, 0x01);
    PUT(w, 0x74, 0x07);                               /* jz over the next */
    PUT(w, 0x81, 0x0c, 0x24, 0x00, 0x02, 0x00, 0x00); /* or dword [rsp], 200h */
    PUT(w, 0xff, 0x34, 0x24, 0x9d);                   /* push qword [rsp]; popfq: user mode's popfq leaves IF alone */
}

/* Take IF from the word, then popfq; when it says 1, the kernel may have interrupts to deliver. */
static void put_popf(struct patch_work *w, uint32_t behind)
{
    PUT(w, 0xf7, 0x04, 0x24, 0x00, 0x02, 0x00, 0x00); /* test dword [rsp], 200h */
    PUT(w, 0x75, 0x0f);                               /* jnz to the second popfq */
    put_cli(w);
    PUT(w, 0x9d, 0xeb, 0x07); /* popfq; jmp to the end */
    PUT(w, 0x9d);
    put_call(w, CALL_ENABLE_INTERRUPTS, behind);
}

static void put_replacement(struct patch_work *w, enum patch_kind kind, const patch_insn *insn, uint32_t rva)
{
    unsigned gpr = insn->raw.modrm.rm + insn->raw.rex.B * 8u;
    uint32_t behind = rva + insn->length;

    switch (kind) {
    case PATCH_READ_CR8:
        put_read_cr8(w, gpr);
        break;
    case PATCH_WRITE_CR8:
        put_write_cr8(w, gpr, rva, behind);
        break;
    case PATCH_CLI:
        put_cli(w);
        break;
    case PATCH_STI:
        put_call(w, CALL_ENABLE_INTERRUPTS, behind);
        break;
    case PATCH_PAUSE:
        put_call(w, CALL_PAUSE, behind);
        break;
    case PATCH_PUSHF:
        put_pushf(w);
        break;
    case PATCH_POPF:
        put_popf(w, behind);
        break;
    default: /* patch_movable keeps the others out */
        break;
    }
}

/* ---- Moved neighbours ------------------------------------------------------------------------------------------- */

static bool is_condition(const patch_insn *insn)
{
    return insn->opcode_map == ZYDIS_OPCODE_MAP_0F ? (insn->opcode & 0xf0) == 0x80 : (insn->opcode & 0xf0) == 0x70;
}

static bool has_prefix(const patch_insn *insn, uint8_t value)
{
    for (int i = 0; i < insn->raw.prefix_count; i++)
        if (insn->raw.prefixes[i].value == value)
            return true;
    return false;
}

/* Addressed through RSP, which a moved call lowers before it reads its operand. */
static bool is_rsp_call(const patch_insn *insn)
{
    bool sib = insn->attributes & ZYDIS_ATTRIB_HAS_SIB;
    return insn->raw.rex.B == 0 &&
           (sib ? insn->raw.sib.base == 4 : insn->raw.modrm.mod == 3 && insn->raw.modrm.rm == 4);
}

bool patch_movable(const struct patch_work *w, const patch_insn *insn, uint32_t rva, bool *last)
{
    *last = patch_is_unconditional(insn) || insn->mnemonic == ZYDIS_MNEMONIC_CALL;
    if (patch_classify(insn) > PATCH_POPF)
        return false;
    if (insn->raw.imm[0].is_relative)
        return !has_prefix(insn, 0x66) &&
               (insn->mnemonic == ZYDIS_MNEMONIC_JMP || insn->mnemonic == ZYDIS_MNEMONIC_CALL || is_condition(insn));
    if (patch_is_rip_relative(insn) && has_prefix(insn, 0x67))
        return false;

    switch (insn->mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_JMP: /* near forms only */
        return insn->opcode == 0xff && (insn->raw.modrm.reg == 2 || insn->raw.modrm.reg == 4) &&
               !has_prefix(insn, 0x66) && !(insn->mnemonic == ZYDIS_MNEMONIC_CALL && is_rsp_call(insn));
    case ZYDIS_MNEMONIC_RET:
        return insn->opcode == 0xc3 || insn->opcode == 0xc2;
    case ZYDIS_MNEMONIC_HLT:
        return !patch_find(w->table, w->va + rva);
    case ZYDIS_MNEMONIC_INT: /* exceptions and the like: whoever looks shall see them at their own place */
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_INTO:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_SYSCALL:
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_SYSRET:
    case ZYDIS_MNEMONIC_SYSEXIT:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
        return false;
    default:
        return true;
    }
}

static bool put_branch(struct patch_work *w, const patch_insn *insn, uint64_t to)
{
    if (insn->mnemonic == ZYDIS_MNEMONIC_JMP || insn->mnemonic == ZYDIS_MNEMONIC_CALL)
        PUT(w, 0xe9);
    else
        PUT(w, 0x0f, 0x80 | (insn->opcode & 0x0f));
    return put_rel32(w, to);
}

/* Push the address behind the original call without touching flags or registers. */
static void put_return_address(struct patch_work *w, uint64_t address)
{
    PUT(w, 0x48, 0x8d, 0x64, 0x24, 0xf8, 0xc7, 0x04, 0x24); /* lea rsp, [rsp - 8]; mov dword [rsp], low */
    put_u32(w, (uint32_t)address);
    PUT(w, 0xc7, 0x44, 0x24, 0x04); /* mov dword [rsp + 4], high */
    put_u32(w, (uint32_t)(address >> 32));
}

static bool put_moved(struct patch_work *w, const patch_insn *insn, uint32_t rva)
{
    bool call = insn->mnemonic == ZYDIS_MNEMONIC_CALL;

    if (call) {
        put_return_address(w, w->va + rva + insn->length);
        patch_entry(w, rva, 8);
    }
    if (insn->raw.imm[0].is_relative)
        return put_branch(w, insn, patch_branch_target(insn, rva));

    uint8_t *copy = w->memory + w->out;
    patch_put(w, w->memory + rva, insn->length);
    if (call) /* FF /2, call, becomes FF /4, jmp */
        copy[insn->raw.modrm.offset] = (copy[insn->raw.modrm.offset] & ~0x38) | 0x20;
    if (patch_is_rip_relative(insn)) {
        int64_t distance = (int64_t)(patch_operand_target(insn, rva) - w->out);
        pe_put32(copy + insn->raw.disp.offset, (uint32_t)distance);
        return distance == (int32_t)distance;
    }
    return true;
}

/* ---- The stub --------------------------------------------------------------------------------------------------- */

static bool put_all(struct patch_work *w, uint32_t begin, uint32_t end)
{
    const uint32_t needed = STUB_BYTES_MAX + ENTRIES_MAX * sizeof(struct door_stub);
    patch_insn insn = {0};

    for (uint32_t rva = begin; rva < end && !patch_is_unconditional(&insn); rva += insn.length) {
        if (w->out_end - w->out < needed || !patch_decode(w, rva, end, &insn))
            return false;
        enum patch_kind kind = patch_classify_at(w, &insn, rva);
        patch_entry(w, rva, 0);
        if (kind == PATCH_ACCESS && !patch_put_access(w, rva))
            return false;
        if (kind > PATCH_ACCESS)
            put_replacement(w, kind, &insn, rva);
        else if (!put_moved(w, &insn, rva))
            return false;
    }
    if (patch_is_unconditional(&insn) || insn.mnemonic == ZYDIS_MNEMONIC_CALL)
        return true;
    if (w->out_end - w->out < needed)
        return false;
    patch_entry(w, end, 0);
    PUT(w, 0xe9);
    return put_rel32(w, end);
}

static void rewind_to(struct patch_work *w, uint32_t out, uint32_t out_end, uint32_t stub_count)
{
    memset(w->memory + out, 0xcc, out_end - out);
    w->out = out;
    w->out_end = out_end;
    w->stub_count = stub_count;
}

bool patch_write_stub(struct patch_work *w, uint32_t begin, uint32_t end)
{
    uint32_t out = w->out, out_end = w->out_end, count = w->stub_count;

    if (end - begin > PATCH_TOGETHER)
        return false;
    if (!put_all(w, begin, end)) {
        rewind_to(w, out, out_end, count);
        return false;
    }
    w->last.begin = begin;
    w->last.end = end;
    w->last.out = out;
    w->last.out_end = out_end;
    w->last.stub_count = count;
    w->last.covered = w->covered;
    memcpy(w->last.bytes, w->memory + begin, end - begin);
    w->memory[begin] = 0xe9;
    pe_put32(w->memory + begin + 1, out - (begin + 5));
    memset(w->memory + begin + 5, 0xcc, end - begin - 5);
    w->covered = end;
    return true;
}

void patch_take_back(struct patch_work *w)
{
    memcpy(w->memory + w->last.begin, w->last.bytes, w->last.end - w->last.begin);
    rewind_to(w, w->last.out, w->last.out_end, w->last.stub_count);
    w->covered = w->last.covered;
}
