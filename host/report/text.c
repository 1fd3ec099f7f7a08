/*
 * A finding as text, in the shape that docs/report-format.md describes. One line a fact, the most important first; no
 * address of the host, so that two runs of the same machine give the same text.
 */
#include <string.h>
#include "report/finding.h"
#include "report/words.h"

static const char *paint(const struct finding_style *style, const char *color)
{
    return !style->color ? "" : color;
}

/* "stuck.c:41", "stuck.sys+0x102c" without lines, "" when the address is in no image. */
static const char *frame_place(const struct symbols_frame *f, char *text, size_t room)
{
    if (f->file)
        snprintf(text, room, "%s:%u", symbols_base(f->file), f->line);
    else if (f->module)
        snprintf(text, room, "%s+0x%x", f->module, f->offset);
    else
        *text = 0;
    return text;
}

static const char *frame_name(const struct symbols_frame *f)
{
    return f->function ? f->function : f->module ? f->module : "(outside every image)";
}

static void print_frame(FILE *out, unsigned number, const struct symbols_frame *f, const char *called)
{
    char place[320];
    frame_place(f, place, sizeof place);
    fprintf(out, "    #%u ", number);
    if (!f->function && !f->file)
        fprintf(out, "%s", *place ? place : frame_name(f));
    else if (called)
        fprintf(out, "%-19s %-10s   %s", frame_name(f), place, called);
    else
        fprintf(out, "%-19s %s", frame_name(f), place);
    if (called && !f->function && !f->file)
        fprintf(out, "   %s", called);
    fputc('\n', out);
}

static void print_stack(FILE *out, const struct finding_note *n, bool full)
{
    unsigned number = 0;
    bool any_driver = false;
    for (unsigned i = 0; i < n->frame_count; i++)
        any_driver |= n->frame[i].driver;
    const char *called = full ? NULL : n->called;
    for (unsigned i = 0; i < n->frame_count; i++) {
        const struct symbols_frame *f = &n->frame[i];
        if (!full && !f->driver && (any_driver || !f->module))
            continue;
        print_frame(out, number++, f, called);
        called = NULL;
    }
    if (*n->origin)
        fprintf(out, "    #%u %s\n", number, n->origin);
}

/* "stuck.sys!TimerDpc+0x2c (stuck.c:41)" */
static void print_place(FILE *out, const struct finding *f)
{
    const struct symbols_frame *inner = finding_place(f), *outer = &f->note[f->place_note].frame[f->place_outer];
    /* +1 is how the kernel names a routine as a whole, among return addresses */
    if (outer->function && outer->function_offset != ~0u && outer->function_offset > 1)
        fprintf(out, "%s!%s+0x%x", outer->module, outer->function, outer->function_offset);
    else if (outer->function)
        fprintf(out, "%s!%s", outer->module, outer->function);
    else
        fprintf(out, "%s+0x%x", outer->module, outer->offset);
    if (inner->file)
        fprintf(out, " (%s:%u)", symbols_base(inner->file), inner->line);
}

void finding_remark(FILE *out, const struct finding *f)
{
    fprintf(out, "irqlab: a free build goes on: %s", f->verdict);
    if (f->place >= 0) {
        fputs(", ", out);
        print_place(out, f);
    }
    fputc('\n', out);
}

/* Without a stack, "The timer was set at:" leads nowhere: that sentence is left out. */
static void print_text(FILE *out, const struct finding_note *n)
{
    size_t bytes = strlen(n->text);
    if (bytes && n->text[bytes - 1] == ':' && !n->frame_count && !*n->origin) {
        while (bytes && !(n->text[bytes - 1] == '.' && n->text[bytes] == ' '))
            bytes--;
    }
    if (bytes)
        fprintf(out, "  %.*s\n", (int)bytes, n->text);
}

static void print_verdict(FILE *out, const struct finding *f, const struct finding_style *style)
{
    fprintf(out, "%sirqlab: %s", paint(style, "\033[1;31m"), f->stopped ? "stop" : "finding");
    if (f->code)
        fprintf(out, " 0x%08X%s%s", f->code, f->bugcheck ? " " : "", f->bugcheck ? f->bugcheck->name : "");
    fprintf(out, ": %s%s\n", f->verdict, paint(style, "\033[0m"));
}

void finding_print(FILE *out, const struct finding *f, const struct finding_style *style)
{
    char level[40];
    print_verdict(out, f, style);
    if (!f->outside) {
        fputs("  ", out);
        if (f->place >= 0) {
            print_place(out, f);
            fputs(", ", out);
        }
        fprintf(out, "cpu %u, %s, t = %llu.%03u s\n", f->processor, words_level(level, sizeof level, f->irql),
                (unsigned long long)(f->time / 10000000), (unsigned)(f->time / 10000 % 1000));
    }
    for (unsigned i = 0; i < f->note_count; i++) {
        print_text(out, &f->note[i]);
        print_stack(out, &f->note[i], style->full_stacks);
    }
    if (f->rule_text) {
        size_t n = strlen(f->rule_text);
        bool join = f->rule_more && n && f->rule_text[n - 1] == '.';
        if (join)
            fprintf(out, "  rule: %.*s; %s.\n", (int)n - 1, f->rule_text, f->rule_more);
        else
            fprintf(out, "  rule: %s\n", f->rule_text);
    }
    if (f->instead)
        fprintf(out, "  instead: %s%s\n", f->instead_lead, f->instead);
    if (style->again)
        fprintf(out, "  again: %s\n", style->again);
}

void finding_summary(FILE *out, const struct finding *f)
{
    char place[320];
    fprintf(out, "SUMMARY: irqlab: %s", *f->rule ? f->rule : "bugcheck");
    if (f->place >= 0) {
        const struct symbols_frame *at = finding_place(f);
        fprintf(out, " %s", frame_place(at, place, sizeof place));
        if (at->function)
            fprintf(out, " in %s", at->function);
    } else if (*f->subject)
        fprintf(out, " %s", f->subject);
    if (f->times > 1)
        fprintf(out, " (%u times)", f->times);
    fputc('\n', out);
}
