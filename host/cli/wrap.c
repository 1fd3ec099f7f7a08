/* See wrap.h. */
#include <string.h>
#include "cli/wrap.h"

enum { COLUMNS = 96 };

/* Bytes of the longest piece of text, ending at a blank, that fits into the room; all of a word that is longer. */
static size_t piece(const char *text, int room)
{
    size_t fit = 0, at = 0;
    int columns = 0;
    for (; text[at]; at++) {
        if (text[at] == ' ')
            fit = at;
        if ((text[at] & 0xc0) != 0x80 && ++columns > room && fit)
            return fit;
    }
    return at;
}

void wrap_print(FILE *out, const char *label, int indent, const char *text)
{
    if (!text)
        return;
    fprintf(out, "%-*s", indent, label);
    while (*text) {
        size_t n = piece(text, COLUMNS - indent);
        fprintf(out, "%.*s\n", (int)n, text);
        text += n;
        while (*text == ' ')
            text++;
        if (*text)
            fprintf(out, "%*s", indent, "");
    }
}
