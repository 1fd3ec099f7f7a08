/*
 * See junit.h. XML 1.0 has no place for most control characters, and a driver can print any: what may not stand in a
 * document becomes '?'.
 */
#include "test/junit.h"

#include <stdint.h>
#include <string.h>

const char *test_verdict(const struct test *t)
{
    if (!t->ran)
        return "not run";
    if (t->timed_out)
        return "took too long";
    switch (t->status) {
    case 0:
        return NULL;
    case 1:
        return "failed";
    case 2:
        return "bad input";
    case 3:
        return "needs something that does not exist here";
    default:
        return t->status < 0 ? "was killed" : "internal error";
    }
}

/* Bytes of the UTF-8 character at text that may stand in XML; 0 = none. */
static size_t character(const unsigned char *text, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = *text < 0x80 ? 1 : *text >= 0xf0 && *text < 0xf5 ? 4 : *text >= 0xe0 ? 3 : *text >= 0xc2 ? 2 : 0;
    uint32_t value = bytes == 1 ? *text : *text & (0x7fu >> bytes);
    if (!bytes || bytes > left || *text >= 0xf5)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3f);
    }
    bool allowed = value >= 0x20
                       ? value < 0xd800 || (value > 0xdfff && value != 0xfffe && value != 0xffff && value <= 0x10ffff)
                       : value == '\t' || value == '\n' || value == '\r';
    return allowed && value >= least[bytes] ? bytes : 0;
}

static void escaped(FILE *out, const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    while (bytes) {
        size_t n = character(at, bytes);
        if (n == 1 && strchr("<>&\"", *at))
            fprintf(out, "&#%d;", *at);
        else if (n)
            fwrite(at, 1, n, out);
        else
            fputc('?', out);
        n = n ? n : 1;
        at += n;
        bytes -= n;
    }
}

static void write_case(FILE *out, const struct test *t)
{
    const char *verdict = test_verdict(t);
    fputs("    <testcase classname=\"", out);
    escaped(out, t->path, strlen(t->path));
    fputs("\" name=\"", out);
    escaped(out, t->routine ? t->routine : t->path, strlen(t->routine ? t->routine : t->path));
    if (t->seed)
        fprintf(out, " #%u", t->seed + 1);
    fprintf(out, "\" time=\"%.3f\">\n", t->seconds);
    if (!t->ran)
        fputs("      <skipped message=\"not run\"/>\n", out);
    else if (verdict) {
        const char *kind = t->status == 1 && !t->timed_out ? "failure" : "error";
        fprintf(out, "      <%s message=\"%s\" type=\"exit status %d\"/>\n", kind, verdict, t->status);
    }
    if (t->output_bytes) {
        fputs("      <system-out>", out);
        escaped(out, t->output, t->output_bytes);
        fputs("</system-out>\n", out);
    }
    fputs("    </testcase>\n", out);
}

void junit_write(FILE *out, const struct test *tests, size_t count)
{
    unsigned failures = 0, errors = 0, skipped = 0;
    double seconds = 0;
    for (size_t i = 0; i < count; i++) {
        bool failure = tests[i].ran && tests[i].status == 1 && !tests[i].timed_out;
        failures += failure;
        errors += tests[i].ran && !failure && test_verdict(&tests[i]);
        skipped += !tests[i].ran;
        seconds += tests[i].seconds;
    }
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    fprintf(out, "<testsuites tests=\"%zu\" failures=\"%u\" errors=\"%u\" time=\"%.3f\">\n", count, failures, errors,
            seconds);
    fprintf(out,
            "  <testsuite name=\"irqlab\" tests=\"%zu\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\">\n",
            count, failures, errors, skipped, seconds);
    for (size_t i = 0; i < count; i++)
        write_case(out, &tests[i]);
    fputs("  </testsuite>\n</testsuites>\n", out);
}
