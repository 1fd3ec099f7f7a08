/*
 * See pdb.h. A PDB is a file of blocks (MSF): the superblock leads to a directory of streams, each a list of blocks.
 * Stream 1 holds the GUID, stream 3 (DBI) the number of the symbol stream and the list of modules. Untrusted bytes:
 * every offset is checked against the file, every stream copied into one piece before it is read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "report/pdb.h"
#include "report/symbols.h"

enum {
    S_LDATA32 = 0x110c,
    S_GDATA32 = 0x110d,
    S_PUB32 = 0x110e,
    S_LPROC32 = 0x110f,
    S_GPROC32 = 0x1110,
    S_LPROC32_ID = 0x1146,
    S_GPROC32_ID = 0x1147
};
enum { STREAM_INFO = 1, STREAM_DBI = 3, STREAM_NONE = 0xffff };

struct pdb {
    const uint8_t *bytes;
    size_t size;
    uint32_t block, streams;
    uint32_t *directory; /* stream count, sizes, block lists */
    uint32_t words;
};

struct pdb_stream {
    uint8_t *bytes;
    uint32_t size;
};

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Copy `size` bytes that lie in the given blocks. */
static uint8_t *gather(const struct pdb *p, const uint32_t *blocks, uint32_t size)
{
    uint8_t *copy = size <= p->size ? malloc(size + 1u) : NULL;
    for (uint32_t done = 0, i = 0; copy && done < size; i++) {
        uint32_t n = size - done < p->block ? size - done : p->block;
        if ((uint64_t)blocks[i] * p->block + n > p->size) {
            free(copy);
            return NULL;
        }
        memcpy(copy + done, p->bytes + (uint64_t)blocks[i] * p->block, n);
        done += n;
    }
    return copy;
}

static bool open_streams(struct pdb *p)
{
    static const char magic[] = "Microsoft C/C++ MSF 7.00\r\n\x1a\x44S\0\0";
    if (p->size < 56 || memcmp(p->bytes, magic, 32))
        return false;
    p->block = get32(p->bytes + 32);
    uint32_t bytes = get32(p->bytes + 44), map = get32(p->bytes + 52);
    if (p->block < 512 || p->block > 65536 || (p->block & (p->block - 1)) || bytes < 4 || bytes > p->size)
        return false;
    uint32_t blocks = (bytes + p->block - 1) / p->block;
    if ((uint64_t)map * p->block + 4ull * blocks > p->size)
        return false;
    uint32_t *list = malloc(4ull * blocks);
    if (!list)
        return false;
    memcpy(list, p->bytes + (uint64_t)map * p->block, 4ull * blocks);
    p->directory = (uint32_t *)gather(p, list, bytes);
    p->words = bytes / 4;
    free(list);
    p->streams = p->directory ? p->directory[0] : 0;
    return p->directory && p->streams < p->words;
}

static struct pdb_stream read_stream(const struct pdb *p, uint32_t number)
{
    struct pdb_stream none = {0};
    if (number >= p->streams)
        return none;
    uint64_t at = 1 + (uint64_t)p->streams;
    for (uint32_t i = 0; i < number; i++)
        if (p->directory[1 + i] != ~0u)
            at += ((uint64_t)p->directory[1 + i] + p->block - 1) / p->block;
    uint32_t size = p->directory[1 + number];
    if (size == ~0u || at + ((uint64_t)size + p->block - 1) / p->block > p->words)
        return none;
    struct pdb_stream s = {gather(p, p->directory + at, size), size};
    return s.bytes ? s : none;
}

static void add_name(struct symtab *t, uint32_t segment, uint32_t offset, const uint8_t *name, size_t room)
{
    size_t bytes = strnlen((const char *)name, room);
    if (!segment || segment > t->section_count || offset >= t->section[segment - 1].bytes || bytes == room)
        return;
    const struct symtab_section *in = &t->section[segment - 1];
    bool code = in->characteristics & 0x20000000; /* IMAGE_SCN_MEM_EXECUTE */
    if (!strncmp((const char *)name, "__imp_", 6) || !strncmp((const char *)name, "??_C@", 5))
        return;
    symtab_add(t, in->rva + offset, code ? SYMTAB_FUNCTION : SYMTAB_DATA, (const char *)name, bytes);
}

/* A run of symbol records: length (of what follows it), kind, data. */
static void read_records(struct symtab *t, const uint8_t *p, uint32_t size)
{
    for (uint32_t at = 0; at + 4 <= size;) {
        uint32_t length = get16(p + at), kind = get16(p + at + 2);
        const uint8_t *data = p + at + 4;
        if (length < 2 || length > size - at - 2)
            return;
        uint32_t room = length - 2;
        if (kind == S_PUB32 || kind == S_LDATA32 || kind == S_GDATA32) {
            if (room > 10)
                add_name(t, get16(data + 8), get32(data + 4), data + 10, room - 10);
        } else if (kind == S_LPROC32 || kind == S_GPROC32 || kind == S_LPROC32_ID || kind == S_GPROC32_ID) {
            if (room > 35)
                add_name(t, get16(data + 32), get32(data + 28), data + 35, room - 35);
        }
        at += 2 + length;
    }
}

static void read_modules(const struct pdb *p, struct symtab *t, const struct pdb_stream *dbi)
{
    uint32_t end = get32(dbi->bytes + 24);
    if (end > dbi->size - 64)
        return;
    const uint8_t *list = dbi->bytes + 64;
    for (uint32_t at = 0; at + 66 <= end;) {
        uint32_t number = get16(list + at + 34), symbols = get32(list + at + 36), next = at + 64;
        if (number != STREAM_NONE && symbols > 4) {
            struct pdb_stream module = read_stream(p, number);
            if (module.bytes && symbols <= module.size)
                read_records(t, module.bytes + 4, symbols - 4);
            free(module.bytes);
        }
        for (int names = 0; names < 2; names++) {
            next += (uint32_t)strnlen((const char *)list + next, end - next) + 1;
            if (next > end)
                return;
        }
        at = (next + 3) & ~3u;
    }
}

/* The CodeView entry of the image's debug directory: GUID and the PDB's path; NULL without one. */
static const uint8_t *code_view(const struct symtab *t, uint32_t *bytes)
{
    for (uint32_t i = 0; i < t->directory[6].bytes / 28 && i < 32; i++) {
        const uint8_t *d = symtab_at(t, t->directory[6].rva + 28 * i, 28);
        if (!d)
            return NULL;
        *bytes = get32(d + 16);
        const uint8_t *data = get32(d + 12) == 2 && *bytes > 25 ? symtab_at(t, get32(d + 20), *bytes) : NULL;
        if (data && !memcmp(data, "RSDS", 4) && memchr(data + 24, 0, *bytes - 24))
            return data;
    }
    return NULL;
}

static bool read_file(struct symtab *t, const char *path, const uint8_t *guid)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *mapped = MAP_FAILED;
    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0)
        mapped = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (mapped == MAP_FAILED)
        return false;
    struct pdb p = {.bytes = mapped, .size = (size_t)st.st_size};
    bool right = false;
    if (open_streams(&p)) {
        struct pdb_stream info = read_stream(&p, STREAM_INFO), dbi = read_stream(&p, STREAM_DBI);
        right = info.size >= 28 && !memcmp(info.bytes + 12, guid, 16);
        if (right && dbi.size >= 64) {
            struct pdb_stream records = read_stream(&p, get16(dbi.bytes + 20));
            if (records.bytes)
                read_records(t, records.bytes, records.size);
            free(records.bytes);
            read_modules(&p, t, &dbi);
            symtab_sort(t);
        }
        free(info.bytes);
        free(dbi.bytes);
    }
    free(p.directory);
    munmap(mapped, p.size);
    return right;
}

bool pdb_read(struct symtab *t, const char *path, const char *directory, char *found, size_t room)
{
    uint32_t bytes;
    const uint8_t *view = code_view(t, &bytes);
    if (!view)
        return false;
    const char *recorded = (const char *)view + 24, *base = symbols_base(recorded);
    if (directory && (size_t)snprintf(found, room, "%s/%s", directory, base) < room && read_file(t, found, view + 4))
        return true;
    int folder = (int)(symbols_base(path) - path);
    if ((size_t)snprintf(found, room, "%.*s%s", folder, path, base) < room && read_file(t, found, view + 4))
        return true;
    return (size_t)snprintf(found, room, "%s", recorded) < room && read_file(t, found, view + 4);
}
