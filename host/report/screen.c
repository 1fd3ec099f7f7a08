/*
 * The blue screen, as Windows 10 words it, with what Windows does not show: the four parameters with their meaning. On a
 * terminal it is blue; elsewhere the same text in a frame of ASCII characters.
 */
#include <stdarg.h>
#include <string.h>
#include "report/finding.h"
#include "report/words.h"

enum { WIDTH = 92 };

/* Columns that UTF-8 text takes, for text without wide characters. */
static size_t columns(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

__attribute__((format(printf, 3, 4))) static void line(FILE *out, bool color, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = columns(text);
    int fill = used < WIDTH ? (int)(WIDTH - used) : 0;
    if (color)
        fprintf(out, "\033[97;44m  %s%*s  \033[0m\n", text, fill, "");
    else
        fprintf(out, "| %s%*s |\n", text, fill, "");
}

static void border(FILE *out, bool color)
{
    if (color) {
        line(out, color, "%s", "");
        return;
    }
    fputc('+', out);
    for (int i = 0; i < WIDTH + 2; i++)
        fputc('-', out);
    fputs("+\n", out);
}

static void parameter(FILE *out, const struct finding *f, int i, bool color)
{
    const char *meaning = f->bugcheck ? f->bugcheck->parameter[i] : NULL, *place = f->parameter_place[i];
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", meaning ? meaning : "", meaning && *place ? ": " : "", place);
    int cut = WIDTH - 24; /* what does not fit is in the report's JSON */
    line(out, color, "  %d  %016llX  %.*s", i + 1, (unsigned long long)f->parameter[i], cut, text);
}

void screen_print(FILE *out, const struct finding *f, bool color)
{
    const struct symbols_frame *at = f->place >= 0 ? &f->note[0].frame[f->place] : NULL;
    border(out, color);
    line(out, color, ":(");
    line(out, color, "%s", "");
    line(out, color, "The machine ran into a problem and was stopped.");
    line(out, color, "%s", "");
    line(out, color, "Stop code:    %s (0x%08X)", f->bugcheck ? f->bugcheck->name : "unnamed", f->code);
    if (at && at->driver)
        line(out, color, "What failed:  %s", at->module);
    line(out, color, "%s", "");
    for (int i = 0; i < 4; i++)
        parameter(out, f, i, color);
    border(out, color);
}
