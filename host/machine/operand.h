/*
 * Operands of a decoded instruction in terms of an interrupted context.
 */
#pragma once

#include <Zydis/Zydis.h>

#include "machine/trap.h"

struct operand_instruction {
    ZydisDecodedInstruction i;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
    uint8_t bytes[15];
};

/* Decode the instruction at Rip, or the given bytes as if they stood there. */
bool operand_decode(const struct trap *t, struct operand_instruction *out);
bool operand_decode_bytes(const uint8_t *bytes, size_t count, struct operand_instruction *out);

/* A general register by its number in instruction encoding. */
greg_t *operand_register(const struct trap *t, unsigned number);
/* Any width of a general register; NULL for other registers. */
greg_t *operand_of(const struct trap *t, ZydisRegister name);

/* Linear address of a memory operand; Rip must stand at the instruction. */
uint64_t operand_address(const struct trap *t, const struct operand_instruction *in, const ZydisDecodedOperand *memory);

/* Store to a general register as the processor does: 32 bits clear the upper half, fewer leave the rest alone. */
void operand_store(greg_t *to, uint64_t value, unsigned bits);
