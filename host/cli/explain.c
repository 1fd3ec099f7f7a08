/*
 * irqlab explain: what stands in the contract tables about a routine, a callback, a level, the ladder, a bug check, a
 * status or a rule, as text of less than a hundred columns. A name nobody knows gets the nearest ones that somebody
 * does.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cli/command.h"
#include "cli/near.h"
#include "cli/options.h"
#include "base/status.h"
#include "cli/wrap.h"
#include "report/contracts.h"

enum { INDENT = 14 };

static const struct option table[] = {{0}};

static void field(const char *label, const char *text)
{
    char left[INDENT + 4];
    snprintf(left, sizeof left, "  %s", label);
    wrap_print(stdout, left, INDENT, text);
}

/* ---- One function a kind of thing ------------------------------------------------------------------------------ */

static const char *row_here(const struct contract_row *row)
{
    if (row->macro)
        return "a macro or inline function: nothing is imported, so nothing is checked";
    if (row->kind == CONTRACT_CALLBACK)
        return "checked whenever this machine calls a driver's routine of this type";
    if (row->kind == CONTRACT_DATA)
        return "exported by this machine";
    return row->module ? "implemented on this machine; every call by a driver is checked"
                       : "not implemented on this machine: a driver that calls it stops there";
}

static void explain_row(const struct contract_row *row)
{
    static const char *const kinds[] = {"routine", "type of a driver's routine", "exported variable"};
    const char *kind = row->macro ? "macro" : kinds[row->kind];
    printf("%s: %s", row->name, kind);
    if (row->module)
        printf(" of %s", row->module);
    putchar('\n');
    field("rule", row->rule ? row->rule : row->kind == CONTRACT_DATA ? NULL : "The documentation states no IRQL.");
    field("but", row->conditions);
    field("effect", row->effect);
    field("memory", row->resident);
    field("too high?", row->remedy);
    if (row->remedy_condition && (!row->remedy || strcmp(row->remedy, row->remedy_condition)))
        field("in that case", row->remedy_condition);
    field("too low?", row->remedy_low);
    field("here", row_here(row));
    field("header", row->header);
    field("source", row->source);
}

static void level_range(const struct contract_level *level, char *text, size_t room)
{
    if (level->low == level->high)
        snprintf(text, room, "%d", level->low);
    else
        snprintf(text, room, "%d-%d", level->low, level->high);
}

static void explain_level(const struct contract_level *level)
{
    char range[16];
    level_range(level, range, sizeof range);
    printf("%s: IRQL %s on x64%s%s\n", level->name, range, level->talk ? "; on the talk's x86 ladder " : "",
           level->talk ? level->talk : "");
    field("means", level->meaning);
    field("runs there", level->runs);
    field("held off", level->masks);
    field("may touch", level->touch);
    field("comes from", level->sources);
    if (level->aliases)
        field("also called", level->aliases);
}

static void explain_ladder(void)
{
    puts("The ladder of IRQLs, highest first. Code at a level is interrupted only by what runs above it,\n"
         "and calls nothing that needs a level below it.\n");
    for (size_t i = 0; i < contract_level_count; i++) {
        const struct contract_level *level = &contract_levels[i];
        char range[16], label[64];
        level_range(level, range, sizeof range);
        snprintf(label, sizeof label, "%5s  %-15s %-14s  ", range, level->name, level->talk ? level->talk : "");
        wrap_print(stdout, label, 40, level->runs);
    }
    puts("\nThird column: the name on the ladder of x86. `irqlab explain DISPATCH_LEVEL` says more about a level.");
}

static void explain_bugcheck(const struct contract_bugcheck *bugcheck)
{
    printf("0x%08X %s: bug check\n", bugcheck->code, bugcheck->name);
    for (int i = 0; i < 4; i++) {
        char label[16];
        snprintf(label, sizeof label, "parameter %d", i + 1);
        field(label, bugcheck->parameter[i]);
    }
    if (!bugcheck->parameter[0] && !bugcheck->parameter[1] && !bugcheck->parameter[2] && !bugcheck->parameter[3])
        field("parameters", "the documentation describes none");
    bool first = true;
    for (size_t i = 0; i < contract_rule_count; i++)
        if (contract_rules[i].code == bugcheck->code) {
            char text[512];
            snprintf(text, sizeof text, "%s: %s", contract_rules[i].id, contract_rules[i].rule);
            field(first ? "comes from" : "", text);
            first = false;
        }
}

static void explain_rule(const struct contract_rule *rule)
{
    const struct contract_bugcheck *bugcheck = contract_bugcheck_code(rule->code);
    printf("%s: a rule that irqlab checks\n", rule->id);
    field("rule", rule->rule);
    field("instead", rule->instead ? rule->instead : "depends on the routine: irqlab explain ROUTINE");
    if (bugcheck) {
        char text[128];
        snprintf(text, sizeof text, "0x%08X %s", bugcheck->code, bugcheck->name);
        field("bug check", text);
    }
}

/* ---- Finding it -------------------------------------------------------------------------------------------------- */

/* Walk everything that has a name. False from the visitor ends the walk. */
static void each_name(bool (*visit)(void *context, const char *name), void *context)
{
    for (size_t i = 0; i < contract_row_count; i++)
        if (!visit(context, contract_rows[i].name))
            return;
    for (size_t i = 0; i < contract_level_count; i++)
        if (!visit(context, contract_levels[i].name))
            return;
    for (size_t i = 0; i < contract_bugcheck_count; i++)
        if (!visit(context, contract_bugchecks[i].name))
            return;
    for (size_t i = 0; i < contract_rule_count; i++)
        if (!visit(context, contract_rules[i].id))
            return;
    visit(context, "ladder");
}

static bool offer(void *near, const char *name)
{
    near_offer(near, name);
    return true;
}

/* A routine's name in the wrong letter case is still its name. */
static const struct contract_row *find_row(const char *name)
{
    const struct contract_row *row = contract_find(name);
    for (size_t i = 0; !row && i < contract_row_count; i++)
        if (!strcasecmp(contract_rows[i].name, name))
            row = &contract_rows[i];
    return row;
}

static int unknown(const char *name)
{
    struct near near;
    near_begin(&near, name);
    each_name(offer, &near);
    fprintf(stderr, "irqlab: explain: %s: ", name);
    unsigned shown = 0;
    for (unsigned i = 0; i < near.count; i++)
        if (near.distance[i] <= near.distance[0] + 1)
            shown++;
    for (unsigned i = 0; i < shown; i++)
        fprintf(stderr, "%s%s", i == 0 ? "did you mean " : i + 1 < shown ? ", " : " or ", near.best[i]);
    fputs(shown ? "?\n" : "no routine, level, bug check or rule of that name is known\n", stderr);
    return COMMAND_USAGE;
}

static int explain(const char *name)
{
    uint64_t code;
    const struct contract_row *row = find_row(name);
    const struct contract_level *level = contract_level_find(name);
    const struct contract_rule *rule = contract_rule_find(name);
    const struct contract_bugcheck *bugcheck = contract_bugcheck_find(name);
    if (!strcasecmp(name, "ladder") || !strcasecmp(name, "IRQL"))
        explain_ladder();
    else if (level)
        explain_level(level);
    else if (row)
        explain_row(row);
    else if (rule)
        explain_rule(rule);
    else if (bugcheck)
        explain_bugcheck(bugcheck);
    else if (status_value(name, &code) ||
             (options_number(name, &code) && code <= UINT32_MAX && status_name((uint32_t)code)))
        printf("0x%08X %s: NTSTATUS\n", (uint32_t)code, status_name((uint32_t)code));
    else
        return unknown(name);
    return COMMAND_CLEAN;
}

int command_explain(int argc, char **argv)
{
    struct options options = {.command = "explain", .table = table};
    if (!options_parse(&options, argc, argv))
        return COMMAND_USAGE;
    if (options.help) {
        puts("usage: irqlab explain NAME...\n\n"
             "NAME is a routine (ExInitializeWorkItem), a type of callback (KDEFERRED_ROUTINE), a level "
             "(DISPATCH_LEVEL),\n"
             "the word ladder, a bug check by name or code (IRQL_NOT_LESS_OR_EQUAL, 0xA), a status (0xC0000005) or a "
             "rule\n"
             "of a report (irql.call-too-high).");
        return COMMAND_CLEAN;
    }
    if (!options.count) {
        fputs("irqlab: explain: what? (irqlab explain NAME, or irqlab explain ladder)\n", stderr);
        return COMMAND_USAGE;
    }
    int status = COMMAND_CLEAN;
    for (int i = 0; i < options.count; i++) {
        if (i)
            putchar('\n');
        if (explain(argv[i]))
            status = COMMAND_USAGE;
    }
    return status;
}
