/*
 * Operands of instructions, see operand.h.
 */
#define _GNU_SOURCE
#include "machine/operand.h"

#include <string.h>

bool operand_decode_bytes(const uint8_t *bytes, size_t count, struct operand_instruction *out)
{
    ZydisDecoder decoder;

    memcpy(out->bytes, bytes, count);
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, out->bytes, count, &out->i, out->operand));
}

bool operand_decode(const struct trap *t, struct operand_instruction *out)
{
    uint8_t bytes[15];
    size_t n = trap_instruction(t, bytes);

    return n && operand_decode_bytes(bytes, n, out);
}

greg_t *operand_register(const struct trap *t, unsigned number)
{
    static const uint8_t place[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

    return &t->reg[place[number & 15]];
}

greg_t *operand_of(const struct trap *t, ZydisRegister name)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);

    if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
        return NULL;
    return operand_register(t, (unsigned)(whole - ZYDIS_REGISTER_RAX));
}

uint64_t operand_address(const struct trap *t, const struct operand_instruction *in, const ZydisDecodedOperand *memory)
{
    const greg_t *base = operand_of(t, memory->mem.base), *index = operand_of(t, memory->mem.index);
    uint64_t address = memory->mem.disp.has_displacement ? (uint64_t)memory->mem.disp.value : 0;

    if (memory->mem.base == ZYDIS_REGISTER_RIP)
        address += trap_rip(t) + in->i.length;
    else if (base)
        address += (uint64_t)*base;
    if (index)
        address += (uint64_t)*index * memory->mem.scale;
    if (memory->mem.segment == ZYDIS_REGISTER_GS)
        address += (uint64_t)t->area;
    return in->i.address_width == 32 ? (uint32_t)address : address;
}

void operand_store(greg_t *to, uint64_t value, unsigned bits)
{
    uint64_t mask = bits >= 64 ? ~0ull : (1ull << bits) - 1;

    *to = (greg_t)(bits >= 32 ? value & mask : ((uint64_t)*to & ~mask) | (value & mask));
}
