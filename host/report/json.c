/* See json.h. Bytes that are no UTF-8 become U+FFFD: the document is valid whatever a driver prints. */
#include <string.h>
#include "report/json.h"
#include "report/words.h"

static void quote(FILE *out, const char *text, size_t bytes)
{
    fputc('"', out);
    for (size_t i = 0; i < bytes;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = words_utf8(text + i, bytes - i);
        if (n == 0) {
            fputs("\\ufffd", out);
            n = 1;
        } else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fwrite(text + i, 1, n, out);
        i += n;
    }
    fputc('"', out);
}

/* What comes before a value: comma, line, indent, key. */
static void lead(struct json *j, const char *key)
{
    if (j->depth) {
        fprintf(j->out, "%s\n%*s", j->filled ? "," : "", (int)j->depth, "");
        if (key) {
            quote(j->out, key, strlen(key));
            fputs(": ", j->out);
        }
    }
    j->filled = true;
}

void json_begin(struct json *j, const char *key, char bracket)
{
    if (!j->out)
        return;
    lead(j, key);
    fputc(bracket, j->out);
    j->depth++;
    j->filled = false;
}

void json_end(struct json *j, char bracket)
{
    if (!j->out)
        return;
    j->depth--;
    if (j->filled)
        fprintf(j->out, "\n%*s", (int)j->depth, "");
    fputc(bracket, j->out);
    if (!j->depth)
        fputc('\n', j->out);
    j->filled = true;
}

void json_text(struct json *j, const char *key, const char *value, size_t bytes)
{
    if (!j->out)
        return;
    lead(j, key);
    quote(j->out, value, bytes);
}

void json_string(struct json *j, const char *key, const char *value)
{
    if (!j->out)
        return;
    lead(j, key);
    if (value)
        quote(j->out, value, strlen(value));
    else
        fputs("null", j->out);
}

void json_number(struct json *j, const char *key, uint64_t value)
{
    if (!j->out)
        return;
    lead(j, key);
    fprintf(j->out, "%llu", (unsigned long long)value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    if (!j->out)
        return;
    lead(j, key);
    fputs(value ? "true" : "false", j->out);
}

void json_hex(struct json *j, const char *key, uint64_t value)
{
    if (!j->out)
        return;
    lead(j, key);
    fprintf(j->out, "\"0x%llx\"", (unsigned long long)value);
}
