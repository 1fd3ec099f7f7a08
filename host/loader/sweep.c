/*
 * Finding instructions: which bytes of an image are code, which of them need patching, and which may be jumped to.
 *
 * Functions that .pdata names are swept from end to end. Between them lie leaf functions, but also jump tables and
 * other data, so a gap is only swept from places known to be code, following the flow. Code without unwind data
 * (image_lacks_unwind) is swept section by section: there is nothing better to go by, and the tool chains that make
 * such images keep no data but jump tables in code sections.
 *
 * A function may have several entries of .pdata, one for each of its parts, and its jump tables may be a part of their
 * own, behind the code. Of a switch in two steps only the second table, of jumps, says where it ends; the first, of bytes
 * or words, is taken to reach to the end of the function.
 *
 * Jump targets are collected widely, because missing one would let a patch cover it, while a false one costs nothing
 * but a patch: direct branches, addresses of code operands, relocated pointers, every aligned 32-bit value in the image
 * that would be the rva of code (.pdata, scope tables, export tables, tables of rvas), and entries of tables relative
 * to themselves. Bytes that do not decode are stepped over one by one.
 */
#include "patch_work.h"

#define SWEEP_ROUNDS 16 /* over the gaps; each follows branches found by the one before */
#define SWEEP_TABLE_MAX 1024u

#define SHARED_DATA 0xFFFFF78000000000ull

static bool is_cr8_move(const patch_insn *insn)
{
    return insn->opcode_map == ZYDIS_OPCODE_MAP_0F && insn->raw.modrm.reg + insn->raw.rex.R * 8 == 8 &&
           insn->raw.modrm.rm + insn->raw.rex.B * 8 != 4; /* to or from rsp: nobody writes that, let it trap */
}

enum patch_kind patch_classify(const patch_insn *insn)
{
    switch (insn->mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        if (insn->opcode == 0x20 && is_cr8_move(insn))
            return PATCH_READ_CR8;
        return insn->opcode == 0x22 && is_cr8_move(insn) ? PATCH_WRITE_CR8 : PATCH_NONE;
    case ZYDIS_MNEMONIC_CLI:
        return PATCH_CLI;
    case ZYDIS_MNEMONIC_STI:
        return PATCH_STI;
    case ZYDIS_MNEMONIC_PAUSE:
        return PATCH_PAUSE;
    case ZYDIS_MNEMONIC_PUSHFQ:
        return PATCH_PUSHF;
    case ZYDIS_MNEMONIC_POPFQ:
        return PATCH_POPF;
    case ZYDIS_MNEMONIC_CPUID:
        return PATCH_CPUID;
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
        return PATCH_RDTSC;
    case ZYDIS_MNEMONIC_RDRAND:
        return PATCH_RDRAND;
    case ZYDIS_MNEMONIC_RDSEED:
        return PATCH_RDSEED;
    case ZYDIS_MNEMONIC_RDPID:
        return PATCH_RDPID;
    case ZYDIS_MNEMONIC_XGETBV:
        return PATCH_XGETBV;
    case ZYDIS_MNEMONIC_SGDT:
        return PATCH_SGDT;
    case ZYDIS_MNEMONIC_SIDT:
        return PATCH_SIDT;
    case ZYDIS_MNEMONIC_SLDT:
        return PATCH_SLDT;
    case ZYDIS_MNEMONIC_STR:
        return PATCH_STR;
    case ZYDIS_MNEMONIC_SMSW:
        return PATCH_SMSW;
    default:
        return PATCH_NONE;
    }
}

enum patch_kind patch_classify_at(const struct patch_work *w, const patch_insn *insn, uint32_t rva)
{
    enum patch_kind kind = patch_classify(insn);
    return kind == PATCH_NONE && patch_is_access(w, insn, rva) ? PATCH_ACCESS : kind;
}

/* ---- What one instruction tells --------------------------------------------------------------------------------- */

/* An 8-byte immediate or absolute address inside the shared page: let it point to where that page is here. */
static void rewrite_constant(struct patch_work *w, const patch_insn *insn, uint32_t rva)
{
    uint8_t *at;
    if (insn->raw.imm[0].size == 64)
        at = w->memory + rva + insn->raw.imm[0].offset;
    else if (insn->raw.disp.size == 64)
        at = w->memory + rva + insn->raw.disp.offset;
    else
        return;
    uint64_t offset = pe_get64(at) - SHARED_DATA;
    if (w->mapper->shared_data && offset < DOOR_PAGE) {
        pe_put64(at, w->mapper->shared_data + offset);
        w->table->figures.constants++;
    }
}

/* Perhaps a jump table, its entries relative to the image or to itself. It ends where one leaves the function. */
static void note_table(struct patch_work *w, uint64_t table)
{
    uint32_t low = w->function_low, high = w->function_high;
    if (table & 3 || table == 0)
        return;
    for (int relative = 0; relative < 2; relative++) {
        for (uint32_t i = 0; i < SWEEP_TABLE_MAX; i++) {
            uint64_t at = table + 4 * i;
            if (at > w->file->info.bytes - 4)
                break;
            uint64_t to = (relative ? table : 0) + (uint64_t)(int64_t)(int32_t)pe_get32(w->memory + at);
            if (to < low || to >= high)
                break;
            patch_set_bit(w, w->target, to);
            for (int byte = 0; byte < 4; byte++)
                patch_set_bit(w, w->data, at + byte);
        }
    }
}

static uint32_t sib_registers(const patch_insn *insn)
{
    return 1u << (insn->raw.sib.base + insn->raw.rex.B * 8) | 1u << (insn->raw.sib.index + insn->raw.rex.X * 8);
}

/* A load of a byte or word from [image + index + rva] inside the function: the cases of a switch, by their values. */
static void note_index(struct patch_work *w, const patch_insn *insn)
{
    uint64_t table = (uint64_t)insn->raw.disp.value;
    if (!w->whole || insn->mnemonic != ZYDIS_MNEMONIC_MOVZX || !(w->image_registers & sib_registers(insn)) ||
        table < w->function_low)
        return;
    for (; table < w->function_high; table++)
        patch_set_bit(w, w->data, table);
}

/* True when an instruction that ends or pads a function ends at rva. */
static bool follows_an_end(const struct patch_work *w, uint32_t rva)
{
    patch_insn insn;
    for (uint32_t length = 1; length <= ZYDIS_MAX_INSTRUCTION_LENGTH && length <= rva - w->low; length++)
        if (patch_decode(w, rva - length, rva, &insn) && insn.length == length &&
            (insn.mnemonic == ZYDIS_MNEMONIC_NOP || insn.mnemonic == ZYDIS_MNEMONIC_INT3 ||
             patch_is_unconditional(&insn)))
            return true;
    return false;
}

/* A pointer to code is taken for a function's address when a compiler may have put one there and it reads like one. */
static void note_pointer(struct patch_work *w, uint64_t rva)
{
    patch_insn insn;
    patch_set_bit(w, w->target, rva);
    if (rva < w->low || rva >= w->high || rva % 16 || !follows_an_end(w, (uint32_t)rva))
        return;
    uint32_t at = (uint32_t)rva;
    for (int count = 0; count < 64; count++, at += insn.length)
        if (!patch_decode(w, at, w->high, &insn))
            return;
        else if (patch_is_unconditional(&insn))
            break;
    patch_set_bit(w, w->entry, rva);
}

static void note_found(struct patch_work *w, const struct patch_found *found)
{
    if (w->found_count < w->found_capacity)
        w->found[w->found_count++] = *found;
    else
        w->table->figures.left++;
}

static void note_insn(struct patch_work *w, const patch_insn *insn, struct patch_found *here)
{
    if (insn->raw.imm[0].is_relative) {
        uint64_t to = patch_branch_target(insn, here->rva);
        patch_set_bit(w, w->target, to);
        patch_set_bit(w, w->entry, to);
    }
    if (patch_is_rip_relative(insn)) {
        uint64_t to = patch_operand_target(insn, here->rva);
        if (insn->mnemonic == ZYDIS_MNEMONIC_LEA) {
            note_pointer(w, to);
            note_table(w, to);
            if (to == 0)
                w->image_registers |= 1u << (insn->raw.modrm.reg + insn->raw.rex.R * 8);
        } else {
            patch_set_bit(w, w->target, to);
        }
    } else if (insn->attributes & ZYDIS_ATTRIB_HAS_SIB && insn->raw.disp.size == 32) {
        if (insn->raw.sib.scale == 2)
            note_table(w, (uint64_t)insn->raw.disp.value); /* [image + index * 4 + rva] */
        else
            note_index(w, insn);
    }
    rewrite_constant(w, insn, here->rva);

    here->kind = patch_classify_at(w, insn, here->rva);
    here->length = insn->length;
    if (here->kind == PATCH_ACCESS)
        patch_set_bit(w, w->update, patch_store_of_group(w, here->rva, here->high));
    if (here->kind != PATCH_NONE)
        note_found(w, here);
}

/* ---- Sweeping --------------------------------------------------------------------------------------------------- */

static void begin_function(struct patch_work *w, uint32_t low, uint32_t high, bool whole)
{
    w->function_low = low;
    w->function_high = high;
    w->whole = whole;
    w->image_registers = 0;
}

static void step(struct patch_found *here, uint8_t length)
{
    here->rva += length;
    memmove(here->back + 1, here->back, PATCH_BACK - 1);
    here->back[0] = length;
}

/* Every byte of [low, high) is code, save for tables found in it. */
static void sweep_range(struct patch_work *w, uint32_t low, uint32_t high)
{
    struct patch_found here = {.rva = low, .low = low, .high = high};
    patch_insn insn;

    while (here.rva < high) {
        if (!patch_bit(w, w->data, here.rva) && patch_decode(w, here.rva, high, &insn)) {
            note_insn(w, &insn, &here);
            step(&here, insn.length);
        } else {
            here.rva++;
            memset(here.back, 0, sizeof here.back);
        }
    }
}

/* Follow the code that begins at rva until it cannot go on, inside the gap [low, high). */
static void sweep_flow(struct patch_work *w, uint32_t rva, uint32_t low, uint32_t high)
{
    struct patch_found here = {.rva = rva, .low = low, .high = high};
    uint64_t farthest = rva; /* branches seen lead this far: no return before ends the function */
    patch_insn insn;

    while (here.rva < high && !patch_bit(w, w->data, here.rva) && !patch_bit(w, w->seen, here.rva) &&
           patch_decode(w, here.rva, high, &insn)) {
        patch_set_bit(w, w->seen, here.rva);
        note_insn(w, &insn, &here);
        if (insn.raw.imm[0].is_relative && insn.mnemonic != ZYDIS_MNEMONIC_CALL) {
            uint64_t to = patch_branch_target(&insn, here.rva);
            if (to > farthest && to < high)
                farthest = to;
        }
        step(&here, insn.length);
        if ((patch_is_unconditional(&insn) || insn.mnemonic == ZYDIS_MNEMONIC_INT3) && here.rva > farthest)
            return;
    }
}

/* One pass over a gap. True when anything was swept. */
static bool sweep_gap(struct patch_work *w, uint32_t low, uint32_t high)
{
    bool any = false;
    begin_function(w, low, high, false);
    for (uint32_t rva = low; rva < high; rva++) {
        if (!patch_bit(w, w->entry, rva) || patch_bit(w, w->seen, rva) || patch_bit(w, w->data, rva))
            continue;
        sweep_flow(w, rva, low, high);
        any |= patch_bit(w, w->seen, rva);
        patch_set_bit(w, w->seen, rva); /* also when it did not decode: never again */
    }
    return any;
}

/* An entry of .pdata for a further part of the function before it. */
static bool is_part(const struct patch_work *w, const struct pe_function *f)
{
    const uint8_t *info = image_at(w->file, f->unwind, 4);
    return f->unwind & 1 || (info && info[0] >> 3 & PE_UNWIND_CHAINED);
}

/* Where the function of *f with the parts that follow it ends. */
static uint32_t function_end(const struct patch_work *w, const struct pe_function *f, uint32_t count, uint32_t high)
{
    uint32_t end = f->end;
    for (f++, count--; count && f->begin >= end && f->end > f->begin && f->end <= high && is_part(w, f); f++, count--)
        end = f->end;
    return end;
}

/* The functions and the gaps of one section, in order: sweep either the ones or the others. */
static bool sweep_section(struct patch_work *w, uint32_t low, uint32_t high, bool gaps)
{
    const struct pe_function *f = image_at(w->file, w->file->exception_dir.rva, w->file->exception_dir.bytes);
    uint32_t count = f ? w->file->info.unwind_bytes / sizeof *f : 0, end = low;
    bool any = false;

    for (; count; count--, f++) {
        if (f->begin < end || f->end <= f->begin || f->end > high)
            continue; /* another section's, or damaged */
        if (gaps) {
            any |= sweep_gap(w, end, f->begin);
        } else {
            if (f->begin >= w->function_high || f->begin < w->function_low || !is_part(w, f))
                begin_function(w, f->begin, function_end(w, f, count, high), true);
            sweep_range(w, f->begin, f->end);
        }
        end = f->end;
    }
    return gaps && sweep_gap(w, end, high) ? true : any;
}

/* ---- Targets from data ------------------------------------------------------------------------------------------ */

static void note_relocations(struct patch_work *w)
{
    struct pe_reloc reloc = {0};
    while (pe_reloc_next(w->file, &reloc))
        if (reloc.type == PE_RELOC_DIR64)
            note_pointer(w, pe_get64(w->memory + reloc.rva) - w->va);
}

/* Of .pdata only the functions' beginnings: their ends are often padding, which a stub may use. */
static void note_functions(struct patch_work *w)
{
    const struct pe_function *f = image_at(w->file, w->file->exception_dir.rva, w->file->exception_dir.bytes);
    for (uint32_t count = f ? w->file->info.unwind_bytes / sizeof *f : 0; count; count--, f++)
        patch_set_bit(w, w->target, f->begin);
}

static void note_rvas(struct patch_work *w)
{
    uint32_t count, unwind = w->file->info.unwind, unwind_end = unwind + w->file->info.unwind_bytes;
    const struct pe_section *section = pe_sections(w->file, &count);
    for (; count; count--, section++) {
        if (pe_section_unmapped(w->file, section))
            continue;
        uint32_t end = section->rva + pe_section_file_bytes(w->file, section);
        for (uint32_t rva = (section->rva + 3) & ~3u; rva + 4 <= end; rva += 4)
            if (rva < unwind || rva >= unwind_end)
                patch_set_bit(w, w->target, pe_get32(w->memory + rva));
    }
}

static void note_entries(struct patch_work *w)
{
    uint32_t index = 0, rva;
    const char *name;
    patch_set_bit(w, w->target, w->file->info.entry);
    patch_set_bit(w, w->entry, w->file->info.entry);
    while (image_export_next(w->memory, w->file->info.bytes, &index, &name, &rva)) {
        patch_set_bit(w, w->target, rva);
        patch_set_bit(w, w->entry, rva);
    }
}

/* Ascending, each once: a gap may have been entered twice. Shell's method; lists are short or nearly sorted. */
static void sort_found(struct patch_work *w)
{
    struct patch_found *f = w->found;
    uint32_t kept = 0;

    for (uint32_t gap = w->found_count / 2; gap; gap /= 2)
        for (uint32_t i = gap; i < w->found_count; i++) {
            struct patch_found moving = f[i];
            uint32_t at = i;
            for (; at >= gap && f[at - gap].rva > moving.rva; at -= gap)
                f[at] = f[at - gap];
            f[at] = moving;
        }
    for (uint32_t i = 0; i < w->found_count; i++)
        if (kept == 0 || f[i].rva >= f[kept - 1].rva + f[kept - 1].length)
            f[kept++] = f[i];
    w->found_count = kept;
}

void patch_sweep(struct patch_work *w)
{
    uint32_t count;
    const struct pe_section *first = pe_sections(w->file, &count);
    bool bare = image_lacks_unwind(w->file) || w->file->info.unwind_bytes == 0, more = !bare;

    note_relocations(w);
    note_functions(w);
    note_rvas(w);
    note_entries(w);
    for (const struct pe_section *s = first; s < first + count; s++) {
        if (!(s->characteristics & PE_SCN_EXECUTE))
            continue;
        begin_function(w, s->rva, s->rva + pe_section_file_bytes(w->file, s), false);
        if (bare)
            sweep_range(w, s->rva, s->rva + pe_section_file_bytes(w->file, s));
        else
            sweep_section(w, s->rva, s->rva + pe_section_file_bytes(w->file, s), false);
    }
    for (int round = 0; more && round < SWEEP_ROUNDS; round++) {
        more = false;
        for (const struct pe_section *s = first; s < first + count; s++)
            if (s->characteristics & PE_SCN_EXECUTE)
                more |= sweep_section(w, s->rva, s->rva + pe_section_file_bytes(w->file, s), true);
    }
    sort_found(w);
}
