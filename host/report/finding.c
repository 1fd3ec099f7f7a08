/*
 * See finding.h: from the kernel's record to resolved facts. The record comes from a machine that a driver may have
 * wrecked: texts may lack their end, counts may be absurd, addresses may lie anywhere.
 */
#include <stdlib.h>
#include <string.h>
#include "report/finding.h"
#include "report/words.h"

static unsigned bounded(uint32_t value, unsigned limit)
{
    return value < limit ? value : limit;
}

static void hash(uint64_t *key, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *key = (*key ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
}

/*
 * Rule, subject and the driver's place. The verdict is left out, since it may carry a changing address; only where
 * nothing else tells two findings apart it counts.
 */
uint64_t finding_key(const struct door_finding *raw, const struct symbols *symbols)
{
    uint64_t key = 0xcbf29ce484222325ull, place = 0;
    const struct door_note *note = &raw->note[0];
    for (unsigned i = 0; raw->notes && i < bounded(note->frames, DOOR_FRAMES) && !place; i++)
        if (symbols_driver(symbols, note->frame[i]))
            place = note->frame[i];
    hash(&key, raw->rule, strnlen(raw->rule, sizeof raw->rule));
    hash(&key, raw->subject, strnlen(raw->subject, sizeof raw->subject));
    hash(&key, &raw->code, sizeof raw->code);
    hash(&key, &place, sizeof place);
    if (!place)
        hash(&key, raw->text, strnlen(raw->text, sizeof raw->text));
    return key;
}

/* Copy text, with "%o" replaced by the object's name. */
static void put_object(char *to, size_t room, const char *from, size_t from_room, const char *object)
{
    char raw[512];
    size_t used = 0, bytes = strnlen(from, from_room);
    for (size_t i = 0; i < bytes && used + 1 < sizeof raw; i++) {
        if (from[i] == '%' && i + 1 < bytes && from[i + 1] == 'o' && *object) {
            used += (size_t)snprintf(raw + used, sizeof raw - used, "%s", object);
            used = bounded((uint32_t)used, sizeof raw - 1);
            i++;
        } else
            raw[used++] = from[i];
    }
    words_safe_copy(to, room, raw, used);
}

/*
 * The first frame of the caller is the place of the finding. After a fault that is the faulting instruction, which the
 * bug check's parameters name as well; after a call that was refused it is where the call returns to.
 */
static enum symbols_address first_kind(const struct door_finding *raw, const char *subject, uint64_t address)
{
    if (contract_find(subject))
        return SYMBOLS_GUESS;
    for (int i = 0; i < 4; i++)
        if (raw->parameter[i] == address)
            return SYMBOLS_EXACT;
    return SYMBOLS_GUESS;
}

static void make_note(struct finding_note *note, struct symbols *symbols, const struct door_finding *raw,
                      const struct door_note *from, const char *subject)
{
    struct symbols_frame frames[SYMBOLS_INLINES];
    note->kind = from->kind;
    if (from->object)
        symbols_object(symbols, from->object, note->object, sizeof note->object);
    put_object(note->text, sizeof note->text, from->text, sizeof from->text, note->object);
    put_object(note->origin, sizeof note->origin, from->origin, sizeof from->origin, note->object);
    const char *kernel_routine = NULL;
    bool driver_seen = false;
    for (unsigned i = 0; i < bounded(from->frames, DOOR_FRAMES); i++) {
        enum symbols_address kind = i                                ? SYMBOLS_RETURN
                                    : from->kind == DOOR_NOTE_CALLER ? first_kind(raw, subject, from->frame[i])
                                                                     : SYMBOLS_GUESS;
        unsigned count = symbols_resolve(symbols, from->frame[i], kind, frames);
        if (frames[0].driver && !driver_seen && (from->kind != DOOR_NOTE_CALLER || *from->text))
            note->called = kernel_routine ? kernel_routine : symbols_called(symbols, from->frame[i]);
        driver_seen |= frames[0].driver;
        if (frames[0].module && !frames[0].driver)
            kernel_routine = frames[count - 1].function;
        for (unsigned k = 0; k < count && note->frame_count < FINDING_FRAMES; k++)
            note->frame[note->frame_count++] = frames[k];
    }
}

/* Is it code of a header that came with the compiler or the driver kit? A header of the driver's own is its source. */
static bool of_system_header(const struct symbols_frame *f)
{
    static const char *const folders[] = {"/usr/", "/lib/clang/", "mingw", "Windows Kits", "Microsoft Visual Studio"};
    const char *dot = f->file ? strrchr(f->file, '.') : NULL;
    if (!dot || (strcmp(dot, ".h") && strcmp(dot, ".hpp") && strcmp(dot, ".inl")))
        return false;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strstr(f->file, folders[i]))
            return true;
    return false;
}

/* The innermost frame that tells a driver writer where to look; -1 = no frame is a driver's. */
static int own_frame(const struct finding_note *n)
{
    int any = -1;
    for (unsigned i = 0; i < n->frame_count; i++) {
        if (!n->frame[i].driver)
            continue;
        if (!of_system_header(&n->frame[i]))
            return (int)i;
        if (any < 0)
            any = (int)i;
    }
    return any;
}

/*
 * The caller's place; what is found at unload has no caller, there the first part that leads to the driver counts. With
 * no driver about it is the kernel's own frame.
 */
static void find_place(struct finding *f)
{
    f->place = f->place_outer = -1;
    for (unsigned i = 0; i < f->note_count && f->place < 0; i++) {
        f->place = own_frame(&f->note[i]);
        f->place_note = i;
    }
    for (unsigned i = 0; f->place < 0 && f->note_count && i < f->note[0].frame_count; i++)
        if (f->note[0].frame[i].module) {
            f->place = (int)i;
            f->place_note = 0;
        }
    if (f->place < 0)
        return;
    const struct finding_note *n = &f->note[f->place_note];
    f->place_outer = f->place;
    while (n->frame[f->place_outer].inlined && (unsigned)f->place_outer + 1 < n->frame_count)
        f->place_outer++;
}

const struct symbols_frame *finding_place(const struct finding *f)
{
    return f->place < 0 ? NULL : &f->note[f->place_note].frame[f->place];
}

static void look_up_rule(struct finding *f)
{
    const struct contract_row *row = contract_find(f->subject);
    const struct contract_rule *rule = contract_rule_find(f->rule);
    bool called = !strncmp(f->rule, "irql.call", 9);
    if (row && row->rule && (called || !rule)) {
        f->rule_text = row->rule;
        f->rule_more = row->conditions;
    } else if (rule)
        f->rule_text = rule->rule;
    f->instead = rule ? rule->instead : NULL;
    f->instead_lead = "";
    if (!f->instead && row)
        f->instead = contract_remedy_at(row, (int)f->irql);
    bool in_dpc = f->note_count && !strncmp(f->note[0].origin, "DPC", 3);
    if (f->instead && in_dpc && called && row && row->max >= 0 && (int)f->irql > row->max)
        f->instead_lead = "let the DPC ";
}

struct finding *finding_make(struct symbols *symbols, const struct door_event *event, const struct door_finding *raw)
{
    struct finding *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    words_safe_copy(f->rule, sizeof f->rule, raw->rule, strnlen(raw->rule, sizeof raw->rule));
    words_safe_copy(f->subject, sizeof f->subject, raw->subject, strnlen(raw->subject, sizeof raw->subject));
    words_safe_copy(f->verdict, sizeof f->verdict, raw->text, strnlen(raw->text, sizeof raw->text));
    f->code = raw->code;
    memcpy(f->parameter, raw->parameter, sizeof f->parameter);
    f->time = event->time;
    f->processor = event->processor;
    f->irql = event->irql;
    f->key = finding_key(raw, symbols);
    f->times = 1;
    f->bugcheck = f->code ? contract_bugcheck_code(f->code) : NULL;
    f->note_count = bounded(raw->notes, DOOR_NOTES);
    for (unsigned i = 0; i < f->note_count; i++)
        make_note(&f->note[i], symbols, raw, &raw->note[i], f->subject);
    for (int i = 0; i < 4; i++)
        symbols_place(symbols, f->parameter[i], f->parameter_place[i], sizeof f->parameter_place[i]);
    find_place(f);
    look_up_rule(f);
    return f;
}
