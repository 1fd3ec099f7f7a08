/*
 * See symtab.h. Offsets in the file are 32-bit and checked against its size before each use; tables without a length
 * of their own (imports) end with the file or with a bound of ours.
 */
#include <stdlib.h>
#include <string.h>
#include "report/symtab.h"

enum { SYMBOL_BYTES = 18, NAME_LIMIT = 512, IMPORT_LIMIT = 65536, MODULE_LIMIT = 4096 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* [offset, offset + bytes) of the file. */
static const uint8_t *file_at(const struct symtab *t, uint64_t offset, uint64_t bytes)
{
    return offset <= t->size && bytes <= t->size - offset ? t->bytes + offset : NULL;
}

const uint8_t *symtab_at(const struct symtab *t, uint32_t rva, uint32_t bytes)
{
    for (uint32_t i = 0; i < t->section_count; i++) {
        const struct symtab_section *s = &t->section[i];
        if (rva >= s->rva && rva - s->rva <= s->raw_bytes && bytes <= s->raw_bytes - (rva - s->rva))
            return file_at(t, (uint64_t)s->raw + (rva - s->rva), bytes);
    }
    return NULL;
}

/* A terminated string at rva, NULL when it is not printable text of reasonable length. */
static const char *text_at(const struct symtab *t, uint32_t rva)
{
    for (uint32_t n = 0; n < NAME_LIMIT; n++) {
        const uint8_t *p = symtab_at(t, rva, n + 1);
        if (!p)
            return NULL;
        if (!p[n])
            return n ? (const char *)p : NULL;
        if (p[n] < 0x20 || p[n] == 0x7f)
            return NULL;
    }
    return NULL;
}

static const struct symtab_section *section_of(const struct symtab *t, uint32_t rva)
{
    for (uint32_t i = 0; i < t->section_count; i++)
        if (rva >= t->section[i].rva && rva - t->section[i].rva < t->section[i].bytes)
            return &t->section[i];
    return NULL;
}

static bool read_headers(struct symtab *t, uint32_t *symbols, uint32_t *symbol_count)
{
    const uint8_t *dos = file_at(t, 0, 64);
    if (!dos || dos[0] != 'M' || dos[1] != 'Z')
        return false;
    uint32_t pe = get32(dos + 60);
    const uint8_t *head = file_at(t, pe, 24 + 112);
    if (!head || memcmp(head, "PE\0", 4) || get16(head + 24) != 0x20b)
        return false;
    *symbols = get32(head + 12);
    *symbol_count = get32(head + 16);
    uint32_t optional_bytes = get16(head + 20);
    uint32_t count = get16(head + 6);
    t->image_bytes = get32(head + 24 + 56);
    uint32_t directories = get32(head + 24 + 108);
    for (uint32_t i = 0; i < directories && i < 16 && 112 + 8 * (i + 1) <= optional_bytes; i++) {
        const uint8_t *d = file_at(t, (uint64_t)pe + 24 + 112 + 8 * i, 8);
        if (!d)
            return false;
        t->directory[i].rva = get32(d);
        t->directory[i].bytes = get32(d + 4);
    }
    for (uint32_t i = 0; i < count && i < 96; i++) {
        const uint8_t *s = file_at(t, (uint64_t)pe + 24 + optional_bytes + 40 * i, 40);
        if (!s)
            break;
        t->section[i] = (struct symtab_section){.rva = get32(s + 12),
                                                .bytes = get32(s + 8),
                                                .raw_bytes = get32(s + 16),
                                                .raw = get32(s + 20),
                                                .characteristics = get32(s + 36)};
        if (!t->section[i].bytes)
            t->section[i].bytes = t->section[i].raw_bytes;
        t->section_count = i + 1;
    }
    return true;
}

void symtab_add(struct symtab *t, uint32_t rva, enum symtab_kind kind, const char *text, size_t bytes)
{
    if (!bytes || bytes > NAME_LIMIT || rva >= t->image_bytes)
        return;
    for (size_t i = 0; i < bytes; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            return;
    if (t->name_count == t->name_room) {
        size_t room = t->name_room ? t->name_room * 2 : 256;
        struct symtab_name *grown = realloc(t->names, room * sizeof *grown);
        if (!grown)
            return;
        t->names = grown;
        t->name_room = room;
    }
    char *copy = malloc(bytes + 1);
    if (!copy)
        return;
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    t->names[t->name_count++] = (struct symtab_name){.rva = rva, .kind = kind, .text = copy};
}

/* Names the tool chain makes for its own use: they would hide the driver's. */
static bool tool_name(const char *name, size_t bytes)
{
    static const char *const prefixes[] = {".", "__imp_", "_head_", "__rt_", "___", "__RUNTIME", "__xl_", "??_C@"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t n = strlen(prefixes[i]);
        if (bytes >= n && !memcmp(name, prefixes[i], n))
            return true;
    }
    /* __data_start__ and the like */
    return bytes > 4 && !memcmp(name, "__", 2) && !memcmp(name + bytes - 2, "__", 2);
}

static void read_symbols(struct symtab *t, uint32_t offset, uint32_t count)
{
    const uint8_t *table = file_at(t, offset, (uint64_t)count * SYMBOL_BYTES);
    if (!offset || !table)
        return;
    uint64_t strings = offset + (uint64_t)count * SYMBOL_BYTES;
    const uint8_t *length = file_at(t, strings, 4);
    uint64_t strings_bytes = length ? get32(length) : 0;
    for (uint32_t i = 0; i < count; i += 1u + table[(size_t)i * SYMBOL_BYTES + 17]) {
        const uint8_t *s = table + (size_t)i * SYMBOL_BYTES;
        uint32_t value = get32(s + 8), section = get16(s + 12), type = get16(s + 14), class = s[16];
        if (section == 0 || section > t->section_count || (class != 2 && class != 3))
            continue;
        const char *name = (const char *)s;
        size_t bytes = strnlen(name, 8);
        if (!get32(s)) {
            uint64_t at = get32(s + 4);
            if (at < 4 || at >= strings_bytes)
                continue;
            const uint8_t *p = file_at(t, strings + at, 1);
            if (!p)
                continue;
            size_t rest = t->size - (size_t)(strings + at);
            name = (const char *)p;
            bytes = strnlen(name, rest < NAME_LIMIT + 1 ? rest : NAME_LIMIT + 1);
        }
        const struct symtab_section *in = &t->section[section - 1];
        bool code = in->characteristics & 0x20000000; /* IMAGE_SCN_MEM_EXECUTE */
        if (tool_name(name, bytes) || value >= in->bytes || (code && (type >> 4) != 2))
            continue;
        symtab_add(t, in->rva + value, code ? SYMTAB_FUNCTION : SYMTAB_DATA, name, bytes);
    }
}

/* The i-th named export: its name, NULL where the table is damaged; rva 0 for a forwarder. False: no more. */
static bool export_at(const struct symtab *t, uint32_t i, const char **text, uint32_t *rva)
{
    const uint8_t *d = t->directory[0].rva ? symtab_at(t, t->directory[0].rva, 40) : NULL;
    if (!d || i >= get32(d + 24) || i >= IMPORT_LIMIT)
        return false;
    const uint8_t *name = symtab_at(t, get32(d + 32) + 4 * i, 4);
    const uint8_t *ordinal = symtab_at(t, get32(d + 36) + 2 * i, 2);
    if (!name || !ordinal)
        return false;
    bool inside = get16(ordinal) < get32(d + 20);
    const uint8_t *address = inside ? symtab_at(t, get32(d + 28) + 4 * (uint32_t)get16(ordinal), 4) : NULL;
    *text = address ? text_at(t, get32(name)) : NULL;
    *rva = address ? get32(address) : 0;
    if (*rva - t->directory[0].rva < t->directory[0].bytes) /* a forwarder: no code of this image */
        *rva = 0;
    return true;
}

bool symtab_exports(const struct symtab *t, const char *wanted)
{
    const char *text;
    uint32_t rva;
    for (uint32_t i = 0; export_at(t, i, &text, &rva); i++)
        if (text && !strcmp(text, wanted))
            return true;
    return false;
}

static void read_exports(struct symtab *t)
{
    const char *text;
    uint32_t rva;
    for (uint32_t i = 0; export_at(t, i, &text, &rva); i++) {
        const struct symtab_section *in = text && rva ? section_of(t, rva) : NULL;
        if (in)
            symtab_add(t, rva, in->characteristics & 0x20000000 ? SYMTAB_FUNCTION : SYMTAB_DATA, text, strlen(text));
    }
}

static int by_rva(const void *a, const void *b)
{
    const struct symtab_name *x = a, *y = b;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    return strcmp(y->text, x->text); /* the nearest walk ends at the first: NtClose and ZwClose are one, Zw is shown */
}

void symtab_sort(struct symtab *t)
{
    if (t->name_count)
        qsort(t->names, t->name_count, sizeof *t->names, by_rva);
}

bool symtab_open(struct symtab *t, const uint8_t *bytes, size_t size)
{
    memset(t, 0, sizeof *t);
    t->bytes = bytes;
    t->size = size;
    uint32_t symbols, count;
    if (!read_headers(t, &symbols, &count)) {
        t->section_count = 0;
        return false;
    }
    read_symbols(t, symbols, count);
    read_exports(t);
    symtab_sort(t);
    return true;
}

void symtab_close(struct symtab *t)
{
    for (size_t i = 0; i < t->name_count; i++)
        free(t->names[i].text);
    free(t->names);
    memset(t, 0, sizeof *t);
}

const struct symtab_name *symtab_nearest(const struct symtab *t, uint32_t rva, enum symtab_kind kind)
{
    const struct symtab_section *in = section_of(t, rva);
    size_t low = 0, high = t->name_count;
    while (low < high) { /* first name after rva */
        size_t middle = low + (high - low) / 2;
        if (t->names[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    if (!in)
        return NULL;
    const struct symtab_name *best = NULL;
    while (low-- > 0) {
        const struct symtab_name *n = &t->names[low];
        if (n->rva < in->rva || (best && n->rva != best->rva))
            break;
        if (n->kind == kind)
            best = n;
    }
    return best;
}

uint32_t symtab_function_start(const struct symtab *t, uint32_t rva)
{
    uint32_t table = t->directory[3].rva, low = 0, high = t->directory[3].bytes / 12;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint8_t *entry = symtab_at(t, table + 12 * middle, 12);
        if (!entry)
            return 0;
        if (rva < get32(entry))
            high = middle;
        else if (rva >= get32(entry + 4))
            low = middle + 1;
        else
            return get32(entry);
    }
    return 0;
}

/* call rel32; call [rip + disp32]; call through a register or memory operand, with or without REX. */
bool symtab_returns_here(const struct symtab *t, uint32_t rva)
{
    for (uint32_t n = 2; n <= 7 && n <= rva; n++) {
        const uint8_t *p = symtab_at(t, rva - n, n);
        if (!p)
            continue;
        if (n == 5 && p[0] == 0xe8)
            return true;
        uint32_t i = (p[0] & 0xf0) == 0x40 ? 1 : 0;
        if (i + 1 >= n || p[i] != 0xff || ((p[i + 1] >> 3) & 7) != 2)
            continue;
        uint32_t mod = p[i + 1] >> 6, rm = p[i + 1] & 7, sib = mod != 3 && rm == 4;
        uint32_t displacement = mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 5) ? 4 : 0;
        if (i + 2 + sib + displacement == n)
            return true;
    }
    return false;
}

/* Name of the import whose address the loader writes to the table slot at rva. */
static const char *import_at_slot(const struct symtab *t, uint32_t rva)
{
    for (uint32_t i = 0; i < MODULE_LIMIT && t->directory[1].rva; i++) {
        const uint8_t *d = symtab_at(t, t->directory[1].rva + 20 * i, 20);
        if (!d || !get32(d + 16))
            return NULL;
        uint32_t slots = get32(d + 16), names = get32(d) ? get32(d) : slots;
        if (rva < slots || (rva - slots) % 8)
            continue;
        uint32_t index = (rva - slots) / 8;
        if (index >= IMPORT_LIMIT)
            continue;
        const uint8_t *p = NULL;
        for (uint32_t k = 0; k <= index; k++) /* the slot must lie before the terminator of this module's list */
            if (!(p = symtab_at(t, names + 8 * k, 8)) || !get64(p)) {
                p = NULL;
                break;
            }
        if (p)
            return get64(p) >> 63 ? NULL : text_at(t, (uint32_t)get64(p) + 2);
    }
    return NULL;
}

const char *symtab_called(const struct symtab *t, uint32_t rva)
{
    const uint8_t *p = rva >= 6 ? symtab_at(t, rva - 6, 6) : NULL;
    if (!p)
        return NULL;
    if (p[0] == 0xff && p[1] == 0x15)
        return import_at_slot(t, rva + get32(p + 2));
    if (p[1] != 0xe8)
        return NULL;
    uint32_t stub = rva + get32(p + 2);
    const uint8_t *q = symtab_at(t, stub, 6);
    return q && q[0] == 0xff && q[1] == 0x25 ? import_at_slot(t, stub + 6 + get32(q + 2)) : NULL;
}
