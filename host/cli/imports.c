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
#include "base/status.h"
#include "loader/image.h"
#include "report/contracts.h"
#include "report/symbols.h"
#include "supervisor/supervisor.h"
#include "report/symtab.h"
#include "report/words.h"

enum { IMAGE_BYTES = 256 << 20, IMPORTS = 65536 };

struct imports_options {
    bool missing;
};

static const struct option table[] = {
    {"--missing", OPTION_FLAG, offsetof(struct imports_options, missing), NULL,
     .help = "show only what does not exist here"},
    {0},
};

enum { FILES = 64 };

struct imports_file {
    const char *path;
    struct input in;
    struct symtab exports; /* drivers import from drivers too */
};

struct imports {
    struct imports_options o;
    struct imports_file file[FILES];
    int files;
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
    for (const char *const *name = supervisor_modules; *name; name++)
        if (!strcasecmp(module, *name))
            return true;
    return false;
}

static bool exists(const struct imports *m, const struct image_import *import, const struct contract_row *row)
{
    for (int i = 0; i < m->files; i++)
        if (import->name && !strcasecmp(symbols_base(m->file[i].path), import->module))
            return symtab_exports(&m->file[i].exports, import->name);
    return row && row->module &&
           (!strcasecmp(row->module, import->module) || (kernel_module(row->module) && kernel_module(import->module)));
}

static void show(struct imports *m, const struct image_import *import)
{
    char level[96], module[80], name[300];
    const struct contract_row *row = import->name ? contract_find(import->name) : NULL;
    bool here = exists(m, import, row);
    m->all++;
    m->missing += !here;
    if (here && m->o.missing)
        return;
    words_safe_copy(module, sizeof module, import->module, strlen(import->module));
    if (import->name)
        words_safe_copy(name, sizeof name, import->name, strlen(import->name));
    else
        snprintf(name, sizeof name, "ordinal %u", import->ordinal);
    level_words(row, level, sizeof level);
    printf("  %-14s %-40s %s%s%s\n", module, name, here ? "here" : "missing", *level ? here ? "     " : "  " : "",
           level);
}

static int refuse(const char *path, const struct image_file *image)
{
    const char *name = status_name(image->info.status);
    fprintf(stderr, "irqlab: %s: refused with 0x%08X%s%s: %s\n", path, image->info.status, name ? " " : "",
            name ? name : "", image->info.reason);
    return COMMAND_USAGE;
}

static int list(struct imports *m, const struct imports_file *file)
{
    struct image_import import = {0};
    int status = COMMAND_CLEAN;
    struct image_file *image = calloc(1, sizeof *image);
    if (!image)
        return COMMAND_INTERNAL;
    if (image_parse(image, file->in.bytes, file->in.size)) {
        printf("%s:\n", symbols_base(file->path));
        while (m->all < IMPORTS && image_import_next(image, &import))
            show(m, &import);
        if (import.damaged) {
            fprintf(stderr, "irqlab: %s: the import table is damaged\n", file->path);
            status = COMMAND_USAGE;
        }
    } else
        status = refuse(file->path, image);
    free(image);
    return status;
}

static int list_all(struct imports *m, int count, char **paths)
{
    int status = COMMAND_CLEAN;
    if (count > FILES) {
        fprintf(stderr, "irqlab: imports: more than %d drivers\n", FILES);
        return COMMAND_USAGE;
    }
    for (; m->files < count; m->files++) {
        struct imports_file *file = &m->file[m->files];
        file->path = paths[m->files];
        if (!input_read(file->path, "driver image", IMAGE_BYTES, &file->in))
            return COMMAND_USAGE;
        symtab_open(&file->exports, file->in.bytes, file->in.size);
    }
    for (int i = 0; i < m->files && !status; i++)
        status = list(m, &m->file[i]);
    if (status)
        return status;
    if (m->missing)
        printf("%u imports, %u of them do not exist here\n", m->all, m->missing);
    else
        printf("%u imports, all of them exist here\n", m->all);
    return m->missing ? COMMAND_MISSING : COMMAND_CLEAN;
}

int command_imports(int argc, char **argv)
{
    struct imports *m = calloc(1, sizeof *m);
    struct options options = {.command = "imports", .table = table, .values = m ? &m->o : NULL};
    int status = COMMAND_USAGE;
    if (!m)
        return COMMAND_INTERNAL;
    if (options_parse(&options, argc, argv)) {
        if (options.help) {
            puts(
                "usage: irqlab imports [OPTIONS] DRIVER.sys...\n\n"
                "Lists what the drivers import: module, name, whether it exists on this machine (or in another of the\n"
                "drivers), its levels (* = depends on an argument, see irqlab explain NAME). Exit status 3 when "
                "something\n"
                "is missing.\n");
            options_help(table);
            status = COMMAND_CLEAN;
        } else if (!options.count)
            fputs("irqlab: imports: of which driver? (irqlab imports DRIVER.sys...)\n", stderr);
        else
            status = list_all(m, options.count, argv);
    }
    for (int i = 0; i < FILES; i++) {
        symtab_close(&m->file[i].exports);
        free(m->file[i].in.bytes);
    }
    free(m);
    return status;
}
