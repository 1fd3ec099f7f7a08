/*
 * What the three parts of the patcher share while they work on one image: sweep.c finds, patch.c decides, stub.c
 * writes. Private to host/loader.
 */
#pragma once

#include <Zydis/Zydis.h>
#include "patch.h"
#include "pe.h"

typedef ZydisDecodedInstruction patch_insn;

#define PATCH_TOGETHER 64u /* the longest stretch that moves into one stub */
#define PATCH_BACK 3       /* how many instructions before a site are remembered */

/* An instruction that was found and has to be patched. */
struct patch_found {
    uint32_t rva;
    uint32_t low, high; /* the stretch of code swept in one go: neighbours come from inside it */
    uint8_t kind, length;
    uint8_t back[PATCH_BACK]; /* lengths of the instructions before it, nearest first; 0 = not known */
};

struct patch_work {
    const struct image_file *file;
    uint8_t *memory; /* the image */
    uint64_t va;
    const struct image_mapper *mapper;
    struct patch_table *table;
    ZydisDecoder decoder; /* minimal mode: lengths, opcodes and raw fields, no operands */
    ZydisDecoder full;    /* with operands, for access.c */

    /* One bit for each byte of [low, high), which spans all executable sections. */
    uint32_t low, high;
    uint8_t *target; /* something may jump or point here */
    uint8_t *entry;  /* code begins here, for certain or nearly so; outside .pdata ranges only these are swept */
    uint8_t *data;   /* part of a jump table */
    uint8_t *update; /* a store that ends a load, change and store of one place */
    uint8_t *seen;   /* start of an instruction already swept outside .pdata ranges */

    uint32_t imports_low, imports_high; /* the slots of the import table */

    uint32_t function_low, function_high; /* what is swept now: a function with all its parts, a gap, a section */
    bool whole;                           /* it is one function */
    uint32_t image_registers;             /* those it has loaded with the image's address */

    struct patch_found *found;
    uint32_t found_count, found_capacity;

    /* Stubs. All rvas. */
    uint32_t out, out_end; /* next free byte; entries grow down from out_end */
    uint32_t stub_count;
    uint32_t covered; /* end of the bytes already written over */
    struct {          /* the stub written last, to be able to take it back */
        uint32_t begin, end, out, out_end, stub_count, covered;
        uint8_t bytes[PATCH_TOGETHER]; /* the original's */
    } last;
};

static inline bool patch_bit(const struct patch_work *w, const uint8_t *map, uint32_t rva)
{
    return rva >= w->low && rva < w->high && map[(rva - w->low) / 8] >> ((rva - w->low) % 8) & 1;
}

static inline void patch_set_bit(const struct patch_work *w, uint8_t *map, uint64_t rva)
{
    if (rva >= w->low && rva < w->high)
        map[(rva - w->low) / 8] |= (uint8_t)(1 << ((rva - w->low) % 8));
}

/* Decode the instruction at rva, which must end at or before `end`. */
static inline bool patch_decode(const struct patch_work *w, uint32_t rva, uint32_t end, patch_insn *insn)
{
    return rva < end &&
           ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&w->decoder, NULL, w->memory + rva, end - rva, insn));
}

static inline bool patch_is_rip_relative(const patch_insn *insn)
{
    return insn->attributes & ZYDIS_ATTRIB_HAS_MODRM && insn->raw.modrm.mod == 0 && insn->raw.modrm.rm == 5;
}

/* Rva an instruction at rva refers to: of its branch, or of its rip-relative operand. May lie outside the image. */
static inline uint64_t patch_branch_target(const patch_insn *insn, uint32_t rva)
{
    return (uint64_t)rva + insn->length + (uint64_t)insn->raw.imm[0].value.s;
}

static inline uint64_t patch_operand_target(const patch_insn *insn, uint32_t rva)
{
    return (uint64_t)rva + insn->length + (uint64_t)insn->raw.disp.value;
}

static inline bool patch_is_unconditional(const patch_insn *insn)
{
    return insn->mnemonic == ZYDIS_MNEMONIC_JMP || insn->mnemonic == ZYDIS_MNEMONIC_RET;
}

/* What the instruction is to the patcher; PATCH_NONE for nearly all. */
enum patch_kind patch_classify(const patch_insn *insn);
/* The same with accesses that are delivery points told apart. */
enum patch_kind patch_classify_at(const struct patch_work *w, const patch_insn *insn, uint32_t rva);

/* access.c, see there. */
bool patch_is_access(const struct patch_work *w, const patch_insn *insn, uint32_t rva);
/* The rva of the store when a load, change and store of one place begins here, else 0. */
uint32_t patch_store_of_group(const struct patch_work *w, uint32_t rva, uint32_t high);
/* What goes before the moved instruction. False: it can't be addressed, or is too far away. */
bool patch_put_access(struct patch_work *w, uint32_t rva);
void patch_note_imports(struct patch_work *w);

/* stub.c, for access.c: bytes; from here on the stub stands for `original`; the call of door_up.access. */
void patch_put(struct patch_work *w, const void *bytes, size_t size);
void patch_entry(struct patch_work *w, uint32_t original, uint32_t pushed);
void patch_call_access(struct patch_work *w);

/* Fill the maps and w->found (ascending, no duplicates), rewriting constants on the way. */
void patch_sweep(struct patch_work *w);

/* True when the instruction can run from a stub. `last`: nothing needs to follow it there. */
bool patch_movable(const struct patch_work *w, const patch_insn *insn, uint32_t rva, bool *last);

/* Write the stub for the instructions in [begin, end), and the jump to it at begin. False = no room. */
bool patch_write_stub(struct patch_work *w, uint32_t begin, uint32_t end);

/* Put the original bytes of the last stub back. Only once after each patch_write_stub. */
void patch_take_back(struct patch_work *w);
