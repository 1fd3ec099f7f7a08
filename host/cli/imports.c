/*
 * irqlab imports: what a driver asks for, before it runs. One line an import: module, name, whether it exists on this
 * machine, and at which levels it may be called; then a line that sums up.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cli/command.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/status.h"
#include "loader/image.h"
#include "report/contracts.h"
#include "report/symbols.h"
#include "report/words.h"

enum { IMAGE_BYTES = 256 << 20, IMPORTS = 65536 };

struct imports_options {
    bool missing;
};

static const struct option table[] = {
    {"--missing", OPTION_FLAG, offsetof(struct imports_options, missing), NULL, .help = "show only what does not exist here"},
    {0},
};

struct counts {
    unsigned all, missing;
};

/* "PASSIVE_LEVEL", "up to DISPATCH_LEVEL", "any", "DISPATCH_LEVEL to HIGH_LEVEL" */
static void level_words(const struct contract_row *row, char *text, size_t room)
{
    if (!row || row->kind == CONTRACT_DATA || row->max < 0)
        snprintf(text, room, "%s", row && row->kind == CONTRACT_DATA ? "(data)" : "");
    else if (row->min <= 0 && row->max >= 15)
        snprintf(text, room, "any level");
    else if (row->min == row->max)
        snprintf(text, room, "%s only", contract_level_name(row->max));
    else if (row->min <= 0)
        snprintf(text, room, "%s or below", contract_level_name(row->max));
    else
        snprintf(text, room, "%s to %s", contract_level_name(row->min), contract_level_name(row->max));
    if (row && row->conditions && row->module)
        snprintf(text + strlen(text), room - strlen(text), " *");
}

/* hal.dll's names are ntoskrnl.exe's on this machine, as on Windows; which of both a driver names does not matter. */
static bool kernel_module(const char *module)
{
    return !strcasecmp(module, "ntoskrnl.exe") || !strcasecmp(module, "hal.dll");
}

static void show(const struct image_import *import, bool only_missing, struct counts *counts)
{
    char level[96], module[80], name[300];
    const struct contract_row *row = import->name ? contract_find(import->name) : NULL;
    bool here = row && row->module && (!strcasecmp(row->module, import->module) ||
                                       (kernel_module(row->module) && kernel_module(import->module)));
    counts->all++;
    counts->missing += !here;
    if (here && only_missing)
        return;
    words_safe_copy(module, sizeof module, import->module, strlen(import->module));
    if (import->name)
        words_safe_copy(name, sizeof name, import->name, strlen(import->name));
    else
        snprintf(name, sizeof name, "ordinal %u", import->ordinal);
    level_words(row, level, sizeof level);
    printf("  %-14s %-40s %-8s %s\n", module, name, here ? "here" : "missing", level);
}

static bool list(const char *path, const struct image_file *image, bool only_missing, struct counts *counts)
{
    struct image_import import = {0};
    printf("%s:\n", symbols_base(path));
    while (counts->all < IMPORTS && image_import_next(image, &import))
        show(&import, only_missing, counts);
    if (import.damaged)
        fprintf(stderr, "irqlab: %s: the import table is damaged\n", path);
    return !import.damaged;
}

static int imports(const char *path, bool only_missing, struct counts *counts)
{
    struct input in;
    int status = COMMAND_USAGE;
    if (!input_read(path, "driver image", IMAGE_BYTES, &in))
        return status;
    struct image_file *image = calloc(1, sizeof *image);
    if (image && image_parse(image, in.bytes, in.size)) {
        if (list(path, image, only_missing, counts))
            status = COMMAND_CLEAN;
    } else if (image) {
        const char *name = status_name(image->info.status);
        fprintf(stderr, "irqlab: %s: refused with 0x%08X%s%s: %s\n", path, image->info.status, name ? " " : "",
                name ? name : "", image->info.reason);
    }
    free(image);
    free(in.bytes);
    return status;
}

int command_imports(int argc, char **argv)
{
    struct imports_options o = {0};
    struct options options = {.command = "imports", .table = table, .values = &o};
    if (!options_parse(&options, argc, argv))
        return COMMAND_USAGE;
    if (options.help) {
        puts("usage: irqlab imports [OPTIONS] DRIVER.sys...\n\n"
             "Lists what the drivers import: module, name, whether it exists on this machine, its levels (* = depends on an\n"
             "argument, see irqlab explain NAME). Exit status 3 when something is missing.\n");
        options_help(table);
        return COMMAND_CLEAN;
    }
    if (!options.count) {
        fputs("irqlab: imports: of which driver? (irqlab imports DRIVER.sys...)\n", stderr);
        return COMMAND_USAGE;
    }
    struct counts all = {0};
    for (int i = 0; i < options.count; i++)
        if (imports(argv[i], o.missing, &all))
            return COMMAND_USAGE;
    if (all.missing)
        printf("%u imports, %u of them do not exist here\n", all.all, all.missing);
    else
        printf("%u imports, all of them exist here\n", all.all);
    return all.missing ? COMMAND_MISSING : COMMAND_CLEAN;
}
