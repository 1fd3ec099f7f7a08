/*
 * UTF-8 and UTF-16, for names and data of the registry.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* to: room for as many units as from has bytes. Damaged bytes: false. */
static inline bool utf_from8(uint16_t *to, size_t *units, const uint8_t *from, size_t bytes)
{
    *units = 0;
    for (size_t i = 0; i < bytes;) {
        uint32_t code = from[i++];
        unsigned more = code < 0x80                   ? 0
                        : code >= 0xc2 && code < 0xe0 ? 1
                        : code >= 0xe0 && code < 0xf0 ? 2
                        : code >= 0xf0 && code < 0xf5 ? 3
                                                      : 9;
        if (more == 9 || more > bytes - i)
            return false;
        code &= more == 0 ? 0x7fu : more == 1 ? 0x1fu : more == 2 ? 0xfu : 7u;
        for (unsigned k = 0; k < more; k++) {
            if ((from[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (from[i++] & 0x3f);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) || code > 0x10ffff ||
            (code >= 0xd800 && code < 0xe000))
            return false;
        if (code >= 0x10000) {
            to[(*units)++] = (uint16_t)(0xd800 + ((code - 0x10000) >> 10));
            code = 0xdc00 + (code & 0x3ff);
        }
        to[(*units)++] = (uint16_t)code;
    }
    return true;
}

/* to: room for three bytes a unit. The bytes written; half a pair becomes U+FFFD. */
static inline size_t utf_to8(char *to, const uint16_t *from, size_t units)
{
    size_t n = 0;
    for (size_t i = 0; i < units; i++) {
        uint32_t code = from[i], next = i + 1 < units ? from[i + 1] : 0;
        if (code >= 0xd800 && code < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
            i++;
        } else if (code >= 0xd800 && code < 0xe000)
            code = 0xfffd;
        unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
        to[n++] = (char)(lead[more] | code >> 6 * more);
        while (more--)
            to[n++] = (char)(0x80 | (code >> 6 * more & 0x3f));
    }
    return n;
}
