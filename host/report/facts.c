/* A finding as JSON: the fields are described in docs/report-format.md. */
#include <string.h>
#include "report/finding.h"
#include "report/words.h"

static void frame_json(struct json *j, const struct symbols_frame *f)
{
    json_begin(j, NULL, '{');
    json_string(j, "module", f->module);
    if (f->module)
        json_hex(j, "offset", f->offset);
    json_string(j, "function", f->function);
    if (f->function && f->function_offset != ~0u)
        json_hex(j, "function_offset", f->function_offset);
    if (f->file) {
        json_string(j, "file", f->file);
        json_number(j, "line", f->line);
        if (f->column)
            json_number(j, "column", f->column);
    }
    json_bool(j, "driver", f->driver);
    if (f->inlined)
        json_bool(j, "inlined", true);
    json_end(j, '}');
}

static void note_json(struct json *j, const struct finding_note *n)
{
    static const char *const kinds[] = {"note", "caller", "level", "object", "other"};
    json_begin(j, NULL, '{');
    json_string(j, "kind", kinds[n->kind < sizeof kinds / sizeof *kinds ? n->kind : 0]);
    json_string(j, "text", *n->text ? n->text : NULL);
    json_string(j, "object", *n->object ? n->object : NULL);
    json_begin(j, "frames", '[');
    for (unsigned i = 0; i < n->frame_count; i++)
        frame_json(j, &n->frame[i]);
    json_end(j, ']');
    json_string(j, "calls", n->called);
    json_string(j, "origin", *n->origin ? n->origin : NULL);
    json_end(j, '}');
}

static void stop_json(struct json *j, const struct finding *f)
{
    json_begin(j, "bug_check", '{');
    json_hex(j, "code", f->code);
    json_string(j, "name", f->bugcheck ? f->bugcheck->name : NULL);
    json_bool(j, "stopped", f->stopped);
    json_begin(j, "parameters", '[');
    for (int i = 0; i < 4; i++) {
        json_begin(j, NULL, '{');
        json_hex(j, "value", f->parameter[i]);
        json_string(j, "meaning", f->bugcheck ? f->bugcheck->parameter[i] : NULL);
        json_string(j, "place", *f->parameter_place[i] ? f->parameter_place[i] : NULL);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_end(j, '}');
}

void finding_json(struct json *j, const struct finding *f)
{
    json_begin(j, NULL, '{');
    json_string(j, "rule", *f->rule ? f->rule : "bugcheck");
    json_string(j, "subject", *f->subject ? f->subject : NULL);
    json_string(j, "verdict", f->verdict);
    json_number(j, "times", f->times);
    stop_json(j, f);
    if (!f->outside) {
        json_number(j, "cpu", f->processor);
        json_number(j, "irql", f->irql);
        json_string(j, "level", contract_level_name((int)f->irql));
    }
    json_number(j, "time", f->time);
    if (f->place >= 0) {
        const struct symbols_frame *at = finding_place(f);
        json_begin(j, "place", '{');
        json_string(j, "module", at->module);
        json_hex(j, "offset", at->offset);
        json_string(j, "function", at->function);
        json_string(j, "file", at->file);
        if (at->file)
            json_number(j, "line", at->line);
        json_end(j, '}');
    }
    json_begin(j, "notes", '[');
    for (unsigned i = 0; i < f->note_count; i++)
        note_json(j, &f->note[i]);
    json_end(j, ']');
    json_string(j, "rule_text", f->rule_text);
    json_string(j, "conditions", f->rule_more);
    if (f->instead) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", f->instead_lead, f->instead);
        json_string(j, "instead", text);
    }
    json_end(j, '}');
}
