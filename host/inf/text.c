/* See inf.h: the text. It becomes UTF-8 first, then logical lines, then fields; at last the strings are put in. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "inf/inf.h"
#include "registry/utf.h"

enum { LINE_MOST = 65536, FIELD_MOST = 16384 /* with its strings */ };
#define STRINGS "Strings"

struct reader {
    struct inf *inf;
    const char *text, *end;
    size_t number;
    char line[LINE_MOST]; /* the logical line */
    char *why;
};

static bool fail(char *why, size_t number, const char *what)
{
    snprintf(why, 256, "line %zu: %s", number, what);
    return false;
}

/* ---- Characters -------------------------------------------------------------------------------------------------- */

/* Always the whole text, zero-terminated; NULL = no memory. */
static char *to_utf8(const uint8_t *bytes, size_t size)
{
    bool wide = size >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] && !bytes[1]));
    uint16_t *units = malloc((size + 1) * sizeof *units);
    char *text = malloc(size * 3 + 1);
    size_t count = 0;
    if (units && text) {
        if (wide)
            memcpy(units, bytes, (count = size / 2) * 2);
        else if (!utf_from8(units, &count, bytes, size))
            for (count = 0; count < size; count++)
                units[count] = bytes[count];
        text[utf_to8(text, units, count)] = 0;
    }
    free(units);
    if (text && !strncmp(text, "\xef\xbb\xbf", 3))
        memmove(text, text + 3, strlen(text + 3) + 1);
    return text;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* Up to a comment or the line's end, without the blanks before it. */
static size_t without_comment(const char *text, size_t length)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < length && (quoted || text[n] != ';'); n++)
        quoted ^= text[n] == '"';
    while (n && is_blank(text[n - 1]))
        n--;
    return n;
}

/* A logical line: those that end in a backslash go on in the next. False: the end, or (why) it is too long. */
static bool read_line(struct reader *r)
{
    size_t used = 0;
    bool more = r->text < r->end;
    while (more) {
        size_t length = strcspn(r->text, "\n"), n = without_comment(r->text, length);
        r->number++;
        more = n && r->text[n - 1] == '\\' && r->text + length < r->end && *r->line != '[';
        n -= more;
        if (used + n >= LINE_MOST)
            return fail(r->why, r->number, "too long");
        memcpy(r->line + used, r->text, n);
        r->line[used += n] = 0;
        r->text += length + (r->text + length < r->end);
        if (!more)
            return true;
    }
    return false;
}

/* ---- Fields ------------------------------------------------------------------------------------------------------ */

/* One field from *at on, which goes to what ends it. Quotes may be anywhere in it; two of them within are one. */
static bool take_field(const char **at, const char *ends, char *to)
{
    bool quoted = false;
    size_t n = 0, keep = 0;
    while (is_blank(**at))
        ++*at;
    for (; **at && (quoted || !strchr(ends, **at)); ++*at) {
        if (**at == '"' && quoted && (*at)[1] == '"')
            to[n++] = *(*at)++;
        else if (**at == '"')
            quoted = !quoted;
        else
            to[n++] = **at;
        keep = quoted || **at == '"' || !is_blank(**at) ? n : keep;
    }
    to[keep] = 0;
    return !quoted;
}

static bool add_field(struct inf_line *line, const char *text)
{
    char **more = realloc(line->field, (line->fields + 1) * sizeof *more);
    if (!more)
        return false;
    line->field = more;
    return (more[line->fields++] = strdup(text)) != NULL;
}

static bool add_line(struct reader *r, const char *section)
{
    static char field[LINE_MOST];
    struct inf *inf = r->inf;
    const char *at = r->line;
    if (inf->lines == inf->room) {
        struct inf_line *more = realloc(inf->line, (inf->room = inf->room * 2 + 64) * sizeof *more);
        if (!more)
            return fail(r->why, r->number, "no memory");
        inf->line = more;
    }
    struct inf_line *line = &inf->line[inf->lines++];
    *line = (struct inf_line){.section = section, .number = r->number};
    for (bool first = true, more = true; more; first = false) {
        if (!take_field(&at, first ? ",=" : ",", field))
            return fail(r->why, r->number, "a quotation mark is missing");
        if (first && *at == '=')
            line->key = strdup(field);
        else if (!add_field(line, field))
            return fail(r->why, r->number, "no memory");
        more = *at != 0;
        at += more;
    }
    return line->key || strcasecmp(section, STRINGS) || fail(r->why, r->number, "a string is name = \"text\"");
}

static const char *add_section(struct reader *r)
{
    char *end = strchr(r->line, ']');
    char **more = end ? realloc(r->inf->section, (r->inf->sections + 1) * sizeof *more) : NULL;
    if (!more) {
        fail(r->why, r->number, end ? "no memory" : "a section's name ends with ]");
        return NULL;
    }
    while (end > r->line + 1 && is_blank(end[-1]))
        end--;
    *end = 0;
    r->inf->section = more;
    return more[r->inf->sections++] = strdup(r->line + 1 + strspn(r->line + 1, " \t"));
}

static bool read_lines(struct reader *r)
{
    const char *section = NULL;
    *r->why = 0;
    while (read_line(r)) {
        size_t blanks = strspn(r->line, " \t");
        memmove(r->line, r->line + blanks, strlen(r->line + blanks) + 1);
        if (!*r->line)
            continue;
        if (*r->line == '[') {
            if (!(section = add_section(r)))
                return false;
        } else if (!section)
            return fail(r->why, r->number, "a section begins with [name]");
        else if (!add_line(r, section))
            return false;
    }
    return !*r->why;
}

/* ---- Strings ----------------------------------------------------------------------------------------------------- */

struct name {
    const char *text;
    size_t length;
};

static int compare_name(const void *key, const void *element)
{
    const struct name *name = key;
    const struct inf_line *line = element;
    int order = strncasecmp(name->text, line->key, name->length);
    return order ? order : -(line->key[name->length] != 0);
}

static const char *string_of(const struct inf *inf, struct name name)
{
    const struct inf_line *first = inf_next(inf, STRINGS, NULL), *last = first;
    if (!first)
        return NULL;
    while (last < inf->line + inf->lines && !strcasecmp(last->section, STRINGS))
        last++;
    last = bsearch(&name, first, (size_t)(last - first), sizeof *first, compare_name);
    return last ? inf_field(last, 0) : NULL;
}

/* %name% for its string; %% for %; what has no string stays (%12% is a folder). NULL: too long, or no memory. */
static char *with_strings(const struct inf *inf, const char *text)
{
    char *to = malloc(FIELD_MOST);
    size_t used = 0;
    while (to && *text) {
        const char *end = *text == '%' ? strchr(text + 1, '%') : NULL;
        const char *string =
            end && end > text + 1 ? string_of(inf, (struct name){text + 1, (size_t)(end - text - 1)}) : NULL;
        size_t n = string ? strlen(string) : 1;
        if (used + n >= FIELD_MOST) {
            free(to);
            return NULL;
        }
        memcpy(to + used, string ? string : text, n);
        used += n;
        text = string || end == text + 1 ? end + 1 : text + 1;
    }
    if (to)
        to[used] = 0;
    return to;
}

static bool put_strings_in(const struct inf *inf, char **text)
{
    char *full = *text && strchr(*text, '%') ? with_strings(inf, *text) : *text;
    if (full == *text)
        return true;
    if (full) {
        free(*text);
        *text = full;
    }
    return full != NULL;
}

static bool put_strings(struct inf *inf, char *why)
{
    for (struct inf_line *line = inf->line; line < inf->line + inf->lines; line++) {
        bool good = true;
        if (!strcasecmp(line->section, STRINGS))
            continue;
        good = put_strings_in(inf, &line->key);
        for (size_t i = 0; i < line->fields && good; i++)
            good = put_strings_in(inf, &line->field[i]);
        if (!good)
            return fail(why, line->number, "too long with its strings");
    }
    return true;
}

/* ---- Order ------------------------------------------------------------------------------------------------------- */

static int compare_sections(const void *one, const void *other)
{
    return strcasecmp(*(const char *const *)one, *(const char *const *)other);
}

/* By section, as in the file; strings by name. */
static int compare_lines(const void *one, const void *other)
{
    const struct inf_line *a = one, *b = other;
    int order = strcasecmp(a->section, b->section);
    if (!order && !strcasecmp(a->section, STRINGS))
        order = strcasecmp(a->key, b->key);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

static void put_in_order(struct inf *inf)
{
    if (inf->lines)
        qsort(inf->line, inf->lines, sizeof *inf->line, compare_lines);
    if (inf->sections)
        qsort(inf->section, inf->sections, sizeof *inf->section, compare_sections);
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

bool inf_parse(struct inf *inf, const void *bytes, size_t size, char why[256])
{
    struct reader *r = calloc(1, sizeof *r);
    char *text = size <= INF_FILE_BYTES ? to_utf8(bytes, size) : NULL;
    bool good = r && text;
    memset(inf, 0, sizeof *inf);
    if (good) {
        *r = (struct reader){.inf = inf, .text = text, .end = text + strlen(text), .why = why};
        good = read_lines(r);
        if (good)
            put_in_order(inf);
        good = good && put_strings(inf, why);
    } else
        snprintf(why, 256, "%s", size > INF_FILE_BYTES ? "too large for an INF file" : "no memory");
    free(text);
    free(r);
    return good;
}

void inf_free(struct inf *inf)
{
    for (size_t i = 0; i < inf->lines; i++) {
        for (size_t k = 0; k < inf->line[i].fields; k++)
            free(inf->line[i].field[k]);
        free(inf->line[i].field);
        free(inf->line[i].key);
    }
    for (size_t i = 0; i < inf->sections; i++)
        free(inf->section[i]);
    free(inf->line);
    free(inf->section);
    memset(inf, 0, sizeof *inf);
}

bool inf_has(const struct inf *inf, const char *section)
{
    return inf->sections &&
           bsearch(&section, inf->section, inf->sections, sizeof *inf->section, compare_sections) != NULL;
}

const struct inf_line *inf_next(const struct inf *inf, const char *section, const struct inf_line *after)
{
    size_t low = after ? (size_t)(after - inf->line) + 1 : 0, high = after ? low : inf->lines;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcasecmp(inf->line[middle].section, section) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < inf->lines && !strcasecmp(inf->line[low].section, section) ? &inf->line[low] : NULL;
}

const struct inf_line *inf_find(const struct inf *inf, const char *section, const char *key)
{
    const struct inf_line *line = NULL;
    while ((line = inf_next(inf, section, line)) != NULL)
        if (line->key && !strcasecmp(line->key, key))
            return line;
    return NULL;
}

const char *inf_field(const struct inf_line *line, size_t index)
{
    return line && index < line->fields ? line->field[index] : "";
}
