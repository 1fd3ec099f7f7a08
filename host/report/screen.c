/*
 * The blue screen, as Windows 10 words it, with what Windows does not show: the four parameters with their meaning. On
 * a terminal it is blue; elsewhere the same text in a frame of ASCII characters.
 */
#include <stdarg.h>
#include <string.h>
#include "report/finding.h"
#include "report/words.h"

enum { WIDTH = 92 };

struct screen {
    FILE *out;
    bool color;
    int width;
};

/* Columns that UTF-8 text takes, for text without wide characters. */
static size_t columns(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

/* Bytes of text that fit into the screen's width. */
static int fitting(const char *text, int width)
{
    int at = 0;
    for (int n = 0; text[at]; at++)
        if ((text[at] & 0xc0) != 0x80 && ++n > width)
            break;
    return at;
}

__attribute__((format(printf, 2, 3))) static void line(const struct screen *s, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    text[fitting(text, s->width)] = 0;
    int fill = s->width - (int)columns(text);
    if (s->color)
        fprintf(s->out, "\033[97;44m  %s%*s  \033[0m\n", text, fill, "");
    else
        fprintf(s->out, "| %s%*s |\n", text, fill, "");
}

static void border(const struct screen *s)
{
    if (s->color) {
        line(s, "%s", "");
        return;
    }
    fputc('+', s->out);
    for (int i = 0; i < s->width + 2; i++)
        fputc('-', s->out);
    fputs("+\n", s->out);
}

static void parameter(const struct screen *s, const struct finding *f, int i)
{
    const char *meaning = f->bugcheck ? f->bugcheck->parameter[i] : NULL, *place = f->parameter_place[i];
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", meaning ? meaning : "", meaning && *place ? ": " : "", place);
    line(s, "  %d  %016llX  %s", i + 1, (unsigned long long)f->parameter[i], text); /* JSON has what does not fit */
}

void screen_print(FILE *out, const struct finding *f, bool color, int columns)
{
    struct screen screen = {out, color, columns && columns < WIDTH + 4 ? columns - 4 : WIDTH}, *s = &screen;
    const struct symbols_frame *at = finding_place(f);
    if (s->width < 20)
        s->width = 20;
    border(s);
    line(s, ":(");
    line(s, "%s", "");
    line(s, "The machine ran into a problem and was stopped.");
    line(s, "%s", "");
    line(s, "Stop code:    %s (0x%08X)", f->bugcheck ? f->bugcheck->name : "unnamed", f->code);
    if (at && at->driver)
        line(s, "What failed:  %s", at->module);
    line(s, "%s", "");
    for (int i = 0; i < 4; i++)
        parameter(s, f, i);
    border(s);
}
