/*
 * Registry text (.reg): what regedit exports and imports.
 *
 *   Windows Registry Editor Version 5.00      or REGEDIT4, whose strings in hexadecimal have one byte a character
 *   ; a comment
 *   [HKEY_LOCAL_MACHINE\SOFTWARE\Key]         [-HKEY...] deletes the key and all below
 *   "name"="text with \\ and \""              @ is the default value; "name"=- deletes one
 *   "name"=dword:0000002a
 *   "name"=hex(7):61,00,\                     hex is REG_BINARY, hex(N) of type N; a backslash continues the line
 *
 * The whole text becomes UTF-16 first; then it is read line by line.
 */
#include <stdlib.h>
#include <string.h>
#include "registry/registry.h"
#include "registry/utf.h"

enum { SZ = 1, EXPAND_SZ = 2, BINARY = 3, DWORD = 4, MULTI_SZ = 7 };

struct parser {
    const uint16_t *text;
    size_t units, at, line;
    bool ansi; /* REGEDIT4 */
    struct registry_stream *out;
    uint16_t *key;
    size_t key_units, key_room;
    uint16_t *scratch; /* for names and data: as large as the text */
    uint8_t *data;
    char *why;
};

static bool fail(struct parser *p, const char *what)
{
    snprintf(p->why, 256, "line %zu: %s", p->line, what);
    return false;
}

/* ---- Characters -------------------------------------------------------------------------------------------------- */

static uint32_t peek(const struct parser *p)
{
    return p->at < p->units ? p->text[p->at] : '\n';
}

static bool at_end_of_line(const struct parser *p)
{
    return p->at >= p->units || p->text[p->at] == '\n' || p->text[p->at] == '\r';
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->units && (p->text[p->at] == ' ' || p->text[p->at] == '\t'))
        p->at++;
}

static void next_line(struct parser *p)
{
    while (p->at < p->units && p->text[p->at] != '\n')
        p->at++;
    p->at += p->at < p->units;
    p->line++;
}

static bool take(struct parser *p, const char *word)
{
    size_t n = strlen(word);
    if (n > p->units - p->at)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t unit = p->text[p->at + i];
        if (unit >= 'A' && unit <= 'Z' && word[i] >= 'a' && word[i] <= 'z')
            unit += 'a' - 'A';
        if (unit != (unsigned char)word[i])
            return false;
    }
    p->at += n;
    return true;
}

static int digit(uint32_t unit)
{
    if (unit >= '0' && unit <= '9')
        return (int)(unit - '0');
    unit |= 32;
    return unit >= 'a' && unit <= 'f' ? (int)(unit - 'a' + 10) : -1;
}

/* Hexadecimal digits, at most `most` of them. */
static bool hexadecimal(struct parser *p, unsigned most, uint32_t *value)
{
    unsigned count = 0;
    for (*value = 0; count < most && digit(peek(p)) >= 0; count++, p->at++)
        *value = *value << 4 | (uint32_t)digit(peek(p));
    return count && digit(peek(p)) < 0;
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *path;
} roots[] = {{"hkey_local_machine", "MACHINE"},
             {"hkey_users", "USER"},
             {"hkey_current_user", "USER\\S-1-5-18"},
             {"hkey_classes_root", "MACHINE\\SOFTWARE\\Classes"},
             {"hkey_current_config", "MACHINE\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\Current"},
             {"hklm", "MACHINE"},
             {"hku", "USER"},
             {"hkcu", "USER\\S-1-5-18"},
             {"hkcr", "MACHINE\\SOFTWARE\\Classes"}};

static bool put_root(struct parser *p)
{
    p->key_units = 0;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        size_t before = p->at;
        if (!take(p, roots[i].name))
            continue;
        if (peek(p) != '\\' && peek(p) != ']') {
            p->at = before;
            continue;
        }
        for (const char *c = roots[i].path; *c; c++)
            p->key[p->key_units++] = (unsigned char)*c;
        return true;
    }
    return fail(p, "a key begins with HKEY_LOCAL_MACHINE, HKEY_USERS, HKEY_CURRENT_USER, HKEY_CLASSES_ROOT or "
                   "HKEY_CURRENT_CONFIG");
}

/* Names may hold brackets: the last one of the line ends the key. */
static bool read_key(struct parser *p)
{
    p->at++;
    bool deletes = peek(p) == '-';
    p->at += deletes;
    if (!put_root(p))
        return false;
    size_t end = p->at, last = 0;
    for (; end < p->units && p->text[end] != '\n' && p->text[end] != '\r'; end++)
        if (p->text[end] == ']')
            last = end;
    if (!last || last < p->at)
        return fail(p, "the key's ] is missing");
    if (p->key_units + (last - p->at) > p->key_room)
        return fail(p, "the key's path is too long");
    for (; p->at < last; p->at++) {
        if (!p->text[p->at])
            return fail(p, "a key's name has no zero in it");
        p->key[p->key_units++] = p->text[p->at];
    }
    p->at++;
    return registry_add(p->out, deletes ? DOOR_REGISTRY_DELETE_KEY : DOOR_REGISTRY_CREATE, p->key, p->key_units, NULL,
                        0, 0, NULL, 0) ||
           fail(p, "too much for one registry");
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* "..." into scratch; *units of it. A string may go over several lines. */
static bool quoted(struct parser *p, uint16_t *to, size_t *units)
{
    *units = 0;
    for (p->at++; p->at < p->units; p->at++) {
        uint16_t unit = p->text[p->at];
        if (unit == '"') {
            p->at++;
            return true;
        }
        if (unit == '\\' && p->at + 1 < p->units && (p->text[p->at + 1] == '\\' || p->text[p->at + 1] == '"'))
            unit = p->text[++p->at];
        if (unit == '\n')
            p->line++;
        to[(*units)++] = unit;
    }
    return fail(p, "a \" is missing");
}

/* Pairs of digits with commas; a backslash at the end of a line goes on in the next one. */
static bool hex_bytes(struct parser *p, size_t *bytes)
{
    *bytes = 0;
    for (;;) {
        uint32_t value;
        skip_blanks(p);
        if (peek(p) == '\\') {
            p->at++;
            skip_blanks(p);
            if (!at_end_of_line(p))
                return fail(p, "a \\ ends the line");
            next_line(p);
            continue;
        }
        if (at_end_of_line(p))
            return true;
        if (!hexadecimal(p, 2, &value))
            return fail(p, "bytes are one or two hexadecimal digits");
        p->data[(*bytes)++] = (uint8_t)value;
        skip_blanks(p);
        if (peek(p) == ',')
            p->at++;
        else if (!at_end_of_line(p) && peek(p) != '\\')
            return fail(p, "bytes have commas between them");
    }
}

/* REGEDIT4 has its expandable and multiple strings with one byte a character. */
static size_t widen(struct parser *p, size_t bytes)
{
    for (size_t i = bytes; i--;) {
        p->data[2 * i] = p->data[i];
        p->data[2 * i + 1] = 0;
    }
    return bytes * 2;
}

static bool set(struct parser *p, const uint16_t *name, size_t units, uint32_t type, const void *data, size_t bytes)
{
    return registry_add(p->out, DOOR_REGISTRY_SET, p->key, p->key_units, name, units, type, data, bytes) ||
           fail(p, "too much for one registry");
}

static bool read_hex(struct parser *p, const uint16_t *name, size_t units)
{
    uint32_t type = BINARY;
    size_t bytes;
    if (peek(p) == '(') {
        p->at++;
        if (!hexadecimal(p, 8, &type) || peek(p) != ')')
            return fail(p, "hex(N): N is the type, in hexadecimal");
        p->at++;
    }
    if (peek(p) != ':')
        return fail(p, "hex is followed by : or (N):");
    p->at++;
    if (!hex_bytes(p, &bytes))
        return false;
    if (p->ansi && (type == EXPAND_SZ || type == MULTI_SZ))
        bytes = widen(p, bytes);
    return set(p, name, units, type, p->data, bytes);
}

static bool read_data(struct parser *p, const uint16_t *name, size_t units)
{
    uint16_t *text = p->scratch + units;
    size_t length;
    uint32_t number;
    if (peek(p) == '-') {
        p->at++;
        return registry_add(p->out, DOOR_REGISTRY_DELETE_VALUE, p->key, p->key_units, name, units, 0, NULL, 0) ||
               fail(p, "too much for one registry");
    }
    if (peek(p) == '"') {
        if (!quoted(p, text, &length))
            return false;
        text[length] = 0;
        return set(p, name, units, SZ, text, (length + 1) * 2);
    }
    if (take(p, "dword:")) {
        skip_blanks(p);
        return hexadecimal(p, 8, &number) ? set(p, name, units, DWORD, &number, sizeof number)
                                          : fail(p, "dword: is followed by up to eight hexadecimal digits");
    }
    return take(p, "hex") ? read_hex(p, name, units) : fail(p, "a value is \"text\", dword:, hex: or -");
}

static bool read_value(struct parser *p)
{
    size_t units = 0;
    if (!p->key_units)
        return fail(p, "a value without a key");
    if (peek(p) == '@')
        p->at++;
    else if (!quoted(p, p->scratch, &units))
        return false;
    skip_blanks(p);
    if (peek(p) != '=')
        return fail(p, "a value's name is followed by =");
    p->at++;
    skip_blanks(p);
    return read_data(p, p->scratch, units);
}

/* ---- The text ---------------------------------------------------------------------------------------------------- */

static bool read_header(struct parser *p)
{
    while (p->at < p->units && (at_end_of_line(p) || peek(p) == ' ' || peek(p) == '\t')) {
        if (peek(p) == '\n')
            p->line++;
        p->at++;
    }
    p->ansi = take(p, "regedit4");
    if (!p->ansi && !take(p, "windows registry editor version 5.00"))
        return fail(p, "neither \"Windows Registry Editor Version 5.00\" nor \"REGEDIT4\"");
    skip_blanks(p);
    return at_end_of_line(p) || fail(p, "the first line says more than the version");
}

static bool read_lines(struct parser *p)
{
    if (!read_header(p))
        return false;
    for (next_line(p); p->at < p->units; next_line(p)) {
        skip_blanks(p);
        bool good = true;
        if (peek(p) == '[')
            good = read_key(p);
        else if (peek(p) == '"' || peek(p) == '@')
            good = read_value(p);
        else if (!at_end_of_line(p) && peek(p) != ';')
            good = fail(p, "neither a [key], a \"value\", @ nor a ; comment");
        if (!good)
            return false;
        skip_blanks(p);
        if (!at_end_of_line(p) && peek(p) != ';')
            return fail(p, "something follows");
    }
    return true;
}

/* UTF-16 by its mark, or when the first character's upper half is zero; UTF-8; else each byte a character of Latin-1.
 */
static bool decode(uint16_t *to, size_t *units, const uint8_t *text, size_t bytes)
{
    if (bytes >= 2 && ((text[0] == 0xff && text[1] == 0xfe) || (text[0] && !text[1]))) {
        size_t skip = text[0] == 0xff ? 2 : 0;
        *units = (bytes - skip) / 2;
        memcpy(to, text + skip, *units * 2);
        return bytes % 2 == 0;
    }
    if (bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        return utf_from8(to, units, text + 3, bytes - 3);
    if (utf_from8(to, units, text, bytes))
        return true;
    for (*units = 0; *units < bytes; (*units)++)
        to[*units] = text[*units];
    return true;
}

bool registry_parse(struct registry_stream *s, const void *text, size_t bytes, char why[256])
{
    struct parser p = {.line = 1, .out = s, .why = why, .key_room = 0x7ff0};
    uint16_t *wide = malloc((bytes + 1) * sizeof *wide);
    p.key = malloc((p.key_room + 128) * sizeof *p.key);
    p.scratch = malloc((2 * bytes + 4) * sizeof *p.scratch);
    p.data = malloc(2 * bytes + 4);
    bool good = wide && p.key && p.scratch && p.data;
    if (!good)
        snprintf(why, 256, "no memory");
    else if (!(good = decode(wide, &p.units, text, bytes)))
        snprintf(why, 256, "neither UTF-16 nor UTF-8");
    if (good) {
        p.text = wide;
        good = read_lines(&p);
    }
    free(wide);
    free(p.key);
    free(p.scratch);
    free(p.data);
    return good;
}
