/*
 * Patching one image: the side table of markers, and for each instruction found, what is done with it.
 *
 * For a stub, five bytes are needed. First the instructions behind the site are taken along, then one, two or three
 * before it; the first stretch that nothing can jump into is used. Sites are visited in ascending order, and a stretch
 * that takes later sites along carries them out in its stub too.
 */
#include "patch_work.h"

#define PATCH_MAPS 5
#define MARKER 0xf4 /* hlt: faults in user mode whatever the I/O privilege level is */
#define JUMP_BYTES 5u
#define FOUND_BYTES (128u << 10)
#define ROOM_FOR_SITE 128u  /* a usual stub with its unwind entries */
#define ROOM_TO_SPARE 1024u /* the largest stub */

/* ---- The table -------------------------------------------------------------------------------------------------- */

/* Index of the first marker at or above va. */
static uint32_t lower_bound(const struct patch_table *table, uint64_t va)
{
    uint32_t low = 0, high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->site[middle].va < va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct patch_site *patch_find(const struct patch_table *table, uint64_t va)
{
    uint32_t at = lower_bound(table, va);
    return at < table->count && table->site[at].va == va ? &table->site[at] : NULL;
}

bool patch_add(struct patch_table *table, const struct patch_site *site)
{
    uint32_t at = lower_bound(table, site->va);
    bool known = at < table->count && table->site[at].va == site->va;
    if (!known && table->count == table->capacity)
        return false;
    if (!known) {
        memmove(table->site + at + 1, table->site + at, (table->count - at) * sizeof *site);
        table->count++;
    }
    table->site[at] = *site;
    return true;
}

void patch_remove(struct patch_table *table, uint64_t va, uint64_t bytes)
{
    uint32_t from = lower_bound(table, va), to = lower_bound(table, va + bytes);
    memmove(table->site + from, table->site + to, (table->count - to) * sizeof table->site[0]);
    table->count -= to - from;
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------ */

/* The range that holds all executable sections; both 0 when there are none. */
static void code_span(const struct image_file *file, uint32_t *low, uint32_t *high)
{
    uint32_t count;
    const struct pe_section *section = pe_sections(file, &count);
    *low = *high = 0;
    for (; count; count--, section++) {
        uint32_t bytes = pe_section_file_bytes(file, section);
        if (!(section->characteristics & PE_SCN_EXECUTE) || bytes == 0)
            continue;
        if (*high == 0)
            *low = section->rva;
        *high = section->rva + bytes;
    }
}

/* Bytes of one of the maps. */
static size_t map_bytes(uint32_t low, uint32_t high)
{
    return ((high - low + 63) / 64) * 8;
}

size_t patch_scratch_bytes(const struct image_file *file)
{
    uint32_t low, high;
    code_span(file, &low, &high);
    return PATCH_MAPS * map_bytes(low, high) + FOUND_BYTES;
}

/* Counts byte patterns rather than instructions: the two-byte forms are nearly exact, the one-byte forms are mostly
 * bytes of something else, so what they may claim is bounded by the size of the code. */
uint32_t patch_room(const struct image_file *file)
{
    uint32_t count, exact = 0, loose = 0, code = 0;
    const struct pe_section *section = pe_sections(file, &count);

    for (; count; count--, section++) {
        if (!(section->characteristics & PE_SCN_EXECUTE))
            continue;
        const uint8_t *b = file->bytes + pe_section_file_offset(file, section);
        uint32_t bytes = pe_section_file_bytes(file, section);
        code += bytes;
        for (uint32_t i = 0; i < bytes; i++) {
            loose += (b[i] & 0xfe) == 0x9c || (b[i] & 0xfe) == 0xfa;
            if (i + 3 < bytes && (b[i] & 0xf4) == 0x44 && b[i + 1] == 0x0f && (b[i + 2] & 0xfd) == 0x20)
                exact += (b[i + 3] & 0x38) == 0;
            exact += i + 1 < bytes && b[i] == 0xf3 && b[i + 1] == 0x90;
        }
    }
    if (exact + loose == 0)
        return 0;
    uint64_t room = ROOM_TO_SPARE + (uint64_t)exact * ROOM_FOR_SITE;
    room += (uint64_t)loose * ROOM_FOR_SITE < code / 8 ? loose * ROOM_FOR_SITE : code / 8;
    return (uint32_t)((room + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1));
}

/* ---- One site --------------------------------------------------------------------------------------------------- */

static bool is_hot(enum patch_kind kind)
{
    return kind != PATCH_NONE && kind <= PATCH_POPF;
}

/* Nothing can jump into the stretch behind its first byte, and none of it is data. */
static bool untouched(const struct patch_work *w, uint32_t begin, uint32_t end)
{
    for (uint32_t rva = begin; rva < end; rva++)
        if (patch_bit(w, w->data, rva) || (rva != begin && patch_bit(w, w->target, rva)))
            return false;
    return true;
}

static bool in_code(const struct patch_work *w, uint32_t rva)
{
    uint32_t count;
    const struct pe_section *section = pe_sections(w->file, &count);
    for (; count; count--, section++)
        if (section->characteristics & PE_SCN_EXECUTE && rva >= section->rva &&
            rva - section->rva < pe_section_file_bytes(w->file, section))
            return true;
    return false;
}

/* Length of the padding instruction at rva, 0 when there is none. */
static uint32_t padding_at(const struct patch_work *w, uint32_t rva)
{
    patch_insn insn;
    if (!in_code(w, rva) || !patch_decode(w, rva, w->high, &insn) || !in_code(w, rva + insn.length - 1) ||
        (insn.mnemonic != ZYDIS_MNEMONIC_NOP && insn.mnemonic != ZYDIS_MNEMONIC_INT3))
        return 0;
    return insn.length;
}

/* Let the stretch from begin to the end of the site grow to a jump's size, and move it. A moved call costs a
 * mispredicted return, some 20 ns, so calls are only taken when nothing else will do. */
static bool stub_from(struct patch_work *w, const struct patch_found *f, uint32_t begin, bool calls)
{
    uint32_t end = f->rva + f->length, padding;
    bool
        last; /* the site itself may be a call or a jump through memory: it returns, if at all, to the byte behind it */
    patch_insn insn;

    if (!patch_decode(w, f->rva, end, &insn) || !patch_movable(w, &insn, f->rva, &last))
        return false;
    while (end - begin < JUMP_BYTES && !last) {
        if (!patch_decode(w, end, f->high, &insn) || !patch_movable(w, &insn, end, &last) ||
            (insn.mnemonic == ZYDIS_MNEMONIC_CALL && !calls))
            return false;
        end += insn.length;
    }
    while (end - begin < JUMP_BYTES && patch_is_unconditional(&insn) && (padding = padding_at(w, end)) != 0)
        end += padding; /* behind the function's end: nothing runs there */
    if (end - begin < JUMP_BYTES || !untouched(w, begin, end))
        return false;
    /* Sites that follow at once come along: alone they might find no room, and it saves a jump there and back. */
    while (!last && patch_decode(w, end, f->high, &insn) && end + insn.length - begin <= PATCH_TOGETHER &&
           is_hot(patch_classify_at(w, &insn, end)) && untouched(w, end - 1, end + insn.length) &&
           patch_movable(w, &insn, end, &last))
        end += insn.length;
    return patch_write_stub(w, begin, end);
}

/* All of [begin, end) can move and runs on to end. */
static bool flows_to(const struct patch_work *w, uint32_t begin, uint32_t end)
{
    patch_insn insn;
    bool last = false;
    for (; begin < end && !last; begin += insn.length)
        if (!patch_decode(w, begin, end, &insn) || !patch_movable(w, &insn, begin, &last))
            return false;
    return begin == end && !last;
}

/* Two sites that lie close together may need the same neighbours: move both with all that is between them. */
static bool stub_joined(struct patch_work *w, const struct patch_found *f)
{
    uint32_t begin = w->last.begin, end = w->last.end;
    if (w->covered == 0 || w->covered != end || begin < f->low || f->rva - begin > PATCH_TOGETHER)
        return false;
    patch_take_back(w);
    if (flows_to(w, begin, f->rva) && (stub_from(w, f, begin, false) || stub_from(w, f, begin, true)))
        return true;
    patch_write_stub(w, begin, end); /* as it was; it fits, having fitted before */
    return false;
}

static bool stub_around(struct patch_work *w, const struct patch_found *f)
{
    for (int calls = 0; calls < 2; calls++) {
        uint32_t begin = f->rva;
        for (int back = 0; back <= PATCH_BACK && flows_to(w, begin, f->rva); back++) {
            if (stub_from(w, f, begin, calls)) {
                w->table->figures.stubs++;
                return true;
            }
            if (back == PATCH_BACK || f->back[back] == 0 || begin - w->covered < f->back[back])
                break;
            begin -= f->back[back];
        }
    }
    return stub_joined(w, f);
}

static bool mark(struct patch_work *w, const struct patch_found *f)
{
    struct patch_site site = {.va = w->va + f->rva, .kind = f->kind, .length = f->length};
    memcpy(site.bytes, w->memory + f->rva, f->length);
    if (!patch_add(w->table, &site))
        return false;
    w->memory[f->rva] = MARKER;
    w->table->figures.markers++;
    w->covered = f->rva + f->length;
    return true;
}

/* False = a marker was needed and the table is full. */
static bool patch_site(struct patch_work *w, const struct patch_found *f)
{
    if (f->rva < w->covered || !untouched(w, f->rva, f->rva + 1))
        return true;
    if (is_hot(f->kind) && stub_around(w, f))
        return true;
    if (f->kind >= PATCH_PAUSE)
        return mark(w, f);
    w->table->figures.left++;
    return true;
}

/* ---- The image -------------------------------------------------------------------------------------------------- */

static bool set_up(struct patch_work *w)
{
    struct patch_table *table = w->table;
    code_span(w->file, &w->low, &w->high);
    size_t map = map_bytes(w->low, w->high);
    if (table->scratch_bytes < PATCH_MAPS * map + FOUND_BYTES)
        return false;

    uint8_t *scratch = table->scratch;
    memset(scratch, 0, PATCH_MAPS * map);
    w->target = scratch;
    w->entry = scratch + map;
    w->data = scratch + 2 * map;
    w->seen = scratch + 3 * map;
    w->update = scratch + 4 * map;
    w->found = (void *)(scratch + PATCH_MAPS * map);
    w->found_capacity = (uint32_t)((table->scratch_bytes - PATCH_MAPS * map) / sizeof w->found[0]);
    memset(&table->figures, 0, sizeof table->figures);
    ZydisDecoderInit(&w->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&w->decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    ZydisDecoderInit(&w->full, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    patch_note_imports(w);
    return true;
}

static void open_stubs(struct patch_work *w)
{
    const struct door_up *up = w->mapper->up;
    uint32_t rva = w->file->info.bytes, bytes = w->file->info.extra_bytes;
    struct door_stubs head = {.first = rva + bytes,
                              .target = {up->write_cr8, up->enable_interrupts, up->pause, up->access}};

    w->out = w->out_end = rva;
    if (bytes == 0)
        return;
    memset(w->memory + rva, 0xcc, bytes);
    memcpy(w->memory + rva, &head, sizeof head);
    w->out = rva + sizeof head;
    w->out_end = rva + bytes;
}

/* Entries were written from the end downward; put them in ascending order. */
static void close_stubs(struct patch_work *w)
{
    if (w->stub_count == 0)
        return;
    struct door_stub low, high;
    for (uint32_t i = 0, n = w->stub_count; i < n / 2; i++) {
        uint8_t *a = w->memory + w->out_end + i * sizeof low, *b = w->memory + w->out_end + (n - 1 - i) * sizeof low;
        memcpy(&low, a, sizeof low);
        memcpy(&high, b, sizeof high);
        memcpy(a, &high, sizeof high);
        memcpy(b, &low, sizeof low);
    }
    pe_put32(w->memory + w->file->info.bytes + offsetof(struct door_stubs, count), w->stub_count);
    pe_put32(w->memory + w->file->info.bytes + offsetof(struct door_stubs, first), w->out_end);
}

bool patch_image(const struct image_file *file, uint64_t va, const struct image_mapper *mapper, const char **reason)
{
    struct patch_work w = {.file = file, .memory = (uint8_t *)va, .va = va, .mapper = mapper, .table = mapper->table};

    *reason = "the image has more code than the loader has room to examine";
    if (!set_up(&w))
        return false;
    patch_remove(w.table, va, file->info.bytes);
    patch_sweep(&w);
    open_stubs(&w);
    for (uint32_t i = 0; i < w.found_count; i++) {
        if (patch_site(&w, &w.found[i]))
            continue;
        patch_remove(w.table, va, file->info.bytes);
        *reason = "the image has more instructions to emulate than the loader has room for";
        return false;
    }
    close_stubs(&w);
    return true;
}
