/*
 * Damage to an image file in one place: what the loader's fuzzer and the test of the whole tool on damaged files share.
 * Half of the damage goes to headers and tables, where it matters. Same seed, same damage.
 */
#pragma once

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state += 0x9e3779b97f4a7c15ull;
    uint64_t mix = random_state;
    mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ull;
    mix = (mix ^ mix >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)((mix ^ mix >> 31) >> 16) % limit;
}

static const uint32_t values[] = {0,       1,          2,          7,          0x10,       0x80,      0xff,
                                  0x100,   0x1000,     0x1001,     0x2000,     0x7fff,     0x8000,    0xffff,
                                  0x10000, 0x7fffffff, 0x80000000, 0xfffff000, 0xfffffffe, 0xffffffff};

static void mutate(uint8_t *bytes, size_t size, uint8_t *good)
{
    uint32_t at = random_below((uint32_t)size - 8);
    if (random_below(2)) /* DOS and PE headers, section table */
        at = random_below(0x400);
    else if (random_below(2)) { /* the start of a section: tables */
        struct pe_section *sections = file_sections(good);
        uint32_t raw = sections[random_below(file_headers(good)->section_count)].raw;
        at = raw < size - 0x208 ? raw + random_below(0x200) : at;
    }
    switch (random_below(6)) {
    case 0:
        bytes[at] ^= 1 << random_below(8);
        break;
    case 1:
        bytes[at] = (uint8_t)random_below(256);
        break;
    case 2:
        pe_put32(bytes + (at & ~3u), values[random_below(sizeof values / sizeof values[0])]);
        break;
    case 3:
        pe_put32(bytes + (at & ~3u), pe_get32(bytes + (at & ~3u)) + random_below(64) - 32);
        break;
    case 4:
        pe_put32(bytes + (at & ~3u), random_below(0x10000));
        break;
    case 5:
        memmove(bytes + at, bytes + random_below((uint32_t)size - 64), random_below(64) < size - at ? 8 : 4);
        break;
    }
}

/* A copy of a good file on the heap, damaged, now and then cut short; its length goes to *size. */
static uint8_t *mutated(uint8_t *good, size_t *size)
{
    size_t length = *size;
    uint8_t *copy = malloc(length);

    memcpy(copy, good, length);
    file_headers(copy)->check_sum = 0;
    for (uint32_t n = 1 + random_below(4); n; n--)
        mutate(copy, length, good);
    if (random_below(16) == 0)
        copy = realloc(copy, *size = 1 + random_below((uint32_t)length));
    return copy;
}
