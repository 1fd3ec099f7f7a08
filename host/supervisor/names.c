/*
 * File names, see names.h. Letter case: the ranges of Latin, Greek and Cyrillic where capital and small letters pair up
 * one to one.
 * DIFFERS: other scripts with case (Armenian, Georgian, Latin beyond U+017F) are compared exactly.
 */
#include "supervisor/names.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NAMES_LIMIT 255 /* UTF-16 units */
#define BROKEN 0xffffffffu

/* Next character of UTF-8; BROKEN for overlong forms, surrogates and stray bytes. 0 at the end, without moving. */
static uint32_t next(const unsigned char **at)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *s = *at;
    unsigned more = *s < 0x80                 ? 0
                    : *s >= 0xc2 && *s < 0xe0 ? 1
                    : *s >= 0xe0 && *s < 0xf0 ? 2
                    : *s >= 0xf0 && *s < 0xf5 ? 3
                                              : 9;
    uint32_t c = more == 0 ? *s : *s & (0x3fu >> more);

    if (!*s)
        return 0;
    *at = s + 1;
    if (more == 9)
        return BROKEN;
    for (unsigned i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return BROKEN;
        c = c << 6 | (s[i] & 0x3f);
    }
    *at = s + 1 + more;
    return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? BROKEN : c;
}

bool names_valid(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    unsigned units = 0;
    uint32_t c;

    if (!strcmp(name, ".") || !strcmp(name, "..") || !*name)
        return false;
    while ((c = next(&at))) {
        if (c == BROKEN || c < 0x20 || (c < 0x80 && strchr("\"*/:<>?\\|", (int)c)))
            return false;
        units += c > 0xffff ? 2 : 1;
    }
    return units <= NAMES_LIMIT;
}

static uint32_t upper(uint32_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0x3b1 && c <= 0x3cb && c != 0x3c2) ||
        (c >= 0x430 && c <= 0x44f))
        return c - 0x20;
    if (c >= 0x450 && c <= 0x45f)
        return c - 0x50;
    if ((c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) || (c >= 0x14a && c <= 0x177) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf))
        return c & ~1u;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return c & 1 ? c : c - 1;
    return c == 0xff ? 0x178 : c;
}

int names_compare(const char *a, const char *b)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;

    for (;;) {
        uint32_t p = upper(next(&x)), q = upper(next(&y));
        if (p != q)
            return p < q ? -1 : 1;
        if (!p)
            return 0;
    }
}

uint64_t names_hash(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    uint64_t hash = 0xcbf29ce484222325ull;
    uint32_t c;

    while ((c = upper(next(&at))))
        hash = (hash ^ c) * 0x100000001b3ull;
    return hash ^ hash >> 29;
}
