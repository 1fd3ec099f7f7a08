/* See words.h. */
#include <stdbool.h>
#include <string.h>
#include "report/contracts.h"
#include "report/words.h"

const char *words_level(char *text, size_t room, unsigned irql)
{
    snprintf(text, room, "%s (%u)", irql <= 15 ? contract_level_name((int)irql) : "IRQL", irql);
    return text;
}

const char *words_level_short(char *text, size_t room, unsigned irql)
{
    const char *name = irql <= 15 ? contract_level_name((int)irql) : "IRQL", *tail = strstr(name, "_LEVEL");
    if (tail)
        snprintf(text, room, "%.*s", (int)(tail - name), name);
    else
        snprintf(text, room, "%s%u", name, irql);
    return text;
}

size_t words_utf8(const char *text, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > bytes)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90);
    return overlong || outside ? 0 : n;
}

/* The next character as it may be shown: its bytes taken, and what stands for it in piece. */
static size_t safe_piece(const char *text, size_t bytes, char piece[8])
{
    size_t n = words_utf8(text, bytes);
    unsigned char c = (unsigned char)*text;
    bool control = n == 1 && (c < 0x20 || c == 0x7f) && c != '\t';
    if (n == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0) /* C1 controls */
        control = true;
    if (n && !control) {
        memcpy(piece, text, n);
        piece[n] = 0;
        return n;
    }
    snprintf(piece, 8, "\\x%02x", c);
    return 1;
}

void words_safe(FILE *out, const char *text, size_t bytes)
{
    char piece[8];
    for (size_t at = 0; at < bytes;) {
        at += safe_piece(text + at, bytes - at, piece);
        fputs(piece, out);
    }
}

void words_safe_copy(char *to, size_t room, const char *text, size_t bytes)
{
    char piece[8];
    size_t used = 0;
    for (size_t at = 0; at < bytes;) {
        at += safe_piece(text + at, bytes - at, piece);
        size_t n = strlen(piece);
        if (used + n + 1 > room)
            break;
        memcpy(to + used, piece, n);
        used += n;
    }
    to[used] = 0;
}
