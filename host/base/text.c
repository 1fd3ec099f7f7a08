/*
 * Text without stdio, see text.h.
 */
#include "base/text.h"

#include <stdarg.h>

struct text_sink {
    char *at, *end; /* end: room for the terminator */
};

static void put(struct text_sink *sink, char c)
{
    if (sink->at < sink->end)
        *sink->at++ = c;
}

static void put_string(struct text_sink *sink, const char *s)
{
    while (*s)
        put(sink, *s++);
}

static void put_number(struct text_sink *sink, uint64_t value, unsigned base)
{
    char digits[20];
    int n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while (value /= base);
    while (n)
        put(sink, digits[--n]);
}

static void put_item(struct text_sink *sink, char kind, va_list *arguments)
{
    int number;

    switch (kind) {
    case 's':
        put_string(sink, va_arg(*arguments, const char *));
        break;
    case 'u':
        put_number(sink, va_arg(*arguments, uint32_t), 10);
        break;
    case 'd':
        number = va_arg(*arguments, int);
        if (number < 0)
            put(sink, '-');
        put_number(sink, number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
        break;
    case 'x':
        put_number(sink, va_arg(*arguments, uint32_t), 16);
        break;
    case 'X':
        put_string(sink, "0x");
        put_number(sink, va_arg(*arguments, uint64_t), 16);
        break;
    default:
        put(sink, kind);
    }
}

void text_format(char *buffer, size_t bytes, const char *format, ...)
{
    struct text_sink sink = {buffer, buffer + bytes - 1};
    va_list arguments;

    va_start(arguments, format);
    for (; *format; format++) {
        if (*format == '%' && format[1])
            put_item(&sink, *++format, (va_list *)&arguments);
        else
            put(&sink, *format);
    }
    va_end(arguments);
    *sink.at = 0;
}

void text_copy(char *buffer, size_t bytes, const char *from)
{
    struct text_sink sink = {buffer, buffer + bytes - 1};

    put_string(&sink, from);
    *sink.at = 0;
}

static unsigned char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c;
}

int text_compare_case(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b))
        a++, b++;
    return lower(*a) - lower(*b);
}
