/* See registry.h: an export as .reg text, UTF-16 with its mark and CR LF, as regedit writes it. */
#include <string.h>
#include "registry/registry.h"

enum { SZ = 1, BINARY = 3, DWORD = 4, WIDTH = 76 };

static void unit(FILE *out, uint16_t u)
{
    putc(u & 0xff, out);
    putc(u >> 8, out);
}

static size_t ascii(FILE *out, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        unit(out, (unsigned char)text[i]);
    return n;
}

static size_t escaped(FILE *out, const uint16_t *text, size_t units)
{
    size_t written = units;
    for (size_t i = 0; i < units; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            unit(out, '\\');
            written++;
        }
        unit(out, text[i]);
    }
    return written;
}

/* Ends in its only zero, and has nothing that would not come back. */
static bool plain_text(const struct registry_record *r)
{
    const uint16_t *text = (const uint16_t *)r->data;
    size_t units = r->header.data_bytes / 2;
    if (r->header.type != SZ || r->header.data_bytes % 2 || !units || text[units - 1])
        return false;
    for (size_t i = 0; i + 1 < units; i++)
        if (text[i] < ' ')
            return false;
    return true;
}

static void hex(FILE *out, const struct registry_record *r, size_t column)
{
    char text[32];
    if (r->header.type == BINARY)
        column += ascii(out, "hex:");
    else {
        snprintf(text, sizeof text, "hex(%x):", r->header.type);
        column += ascii(out, text);
    }
    for (uint32_t i = 0; i < r->header.data_bytes; i++) {
        snprintf(text, sizeof text, "%02x%s", r->data[i], i + 1 < r->header.data_bytes ? "," : "");
        column += ascii(out, text);
        if (column > WIDTH && i + 1 < r->header.data_bytes) {
            ascii(out, "\\\r\n  ");
            column = 2;
        }
    }
}

static void value(FILE *out, const struct registry_record *r)
{
    char text[32];
    size_t column = 1;
    if (r->header.name_bytes) {
        unit(out, '"');
        column += 1 + escaped(out, r->name, r->header.name_bytes / 2);
        unit(out, '"');
    } else
        unit(out, '@');
    column += ascii(out, "=");
    if (plain_text(r)) {
        unit(out, '"');
        escaped(out, (const uint16_t *)r->data, r->header.data_bytes / 2 - 1);
        unit(out, '"');
    } else if (r->header.type == DWORD && r->header.data_bytes == 4) {
        uint32_t number;
        memcpy(&number, r->data, sizeof number);
        snprintf(text, sizeof text, "dword:%08x", number);
        ascii(out, text);
    } else
        hex(out, r, column);
    ascii(out, "\r\n");
}

/* MACHINE and USER are what regedit calls HKEY_LOCAL_MACHINE and HKEY_USERS. */
static void key(FILE *out, const struct registry_record *r)
{
    static const struct {
        const char *path, *name;
    } roots[] = {{"MACHINE", "HKEY_LOCAL_MACHINE"}, {"USER", "HKEY_USERS"}};
    size_t units = r->header.key_bytes / 2, skip = 0;
    ascii(out, "\r\n[");
    for (size_t i = 0; i < 2 && !skip; i++) {
        size_t n = strlen(roots[i].path), same = 0;
        while (same < n && same < units && (r->key[same] | 32) == (roots[i].path[same] | 32))
            same++;
        if (same == n && (units == n || r->key[n] == '\\')) {
            ascii(out, roots[i].name);
            skip = n;
        }
    }
    for (size_t i = skip; i < units; i++)
        unit(out, r->key[i]);
    ascii(out, "]\r\n");
}

bool registry_write(const struct registry_stream *s, FILE *out)
{
    struct registry_record r;
    unit(out, 0xfeff);
    ascii(out, "Windows Registry Editor Version 5.00\r\n");
    for (size_t at = 0; registry_next(s, &at, &r);) {
        if (r.header.op == DOOR_REGISTRY_CREATE)
            key(out, &r);
        else if (r.header.op == DOOR_REGISTRY_SET)
            value(out, &r);
    }
    return !ferror(out);
}
