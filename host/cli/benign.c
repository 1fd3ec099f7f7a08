/* See benign.h. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cli/benign.h"
#include "report/pdb.h"
#include "report/symtab.h"

static bool add(struct given *g, const struct session_driver *d, uint32_t low, uint32_t high)
{
    struct door_benign *b = &g->machine.benign[g->machine.benigns];
    if (g->machine.benigns == DOOR_BENIGN)
        return false;
    snprintf(b->image, sizeof b->image, "%s", d->name);
    b->low = low;
    b->high = high;
    g->machine.benigns++;
    return true;
}

/* From a name's place to that of the next. */
static bool add_name(struct given *g, const struct session_driver *d, const char *name)
{
    struct symtab table;
    char pdb[4096];
    bool found = false;
    if (symtab_open(&table, d->bytes, d->size)) {
        pdb_read(&table, d->path, g->symbols, pdb, sizeof pdb);
        for (size_t i = 0; i < table.name_count && !found; i++) {
            uint32_t low = table.names[i].rva, high = table.image_bytes;
            if (strcmp(table.names[i].text, name))
                continue;
            for (size_t k = i + 1; k < table.name_count; k++)
                if (table.names[k].rva > low) {
                    high = table.names[k].rva;
                    break;
                }
            found = add(g, d, low, high);
        }
    }
    symtab_close(&table);
    return found;
}

static bool add_offset(struct given *g, const struct session_driver *d, const char *text)
{
    char *end;
    unsigned long offset = strtoul(text, &end, 16);
    return strncmp(text, "0x", 2) == 0 && end > text + 2 && !*end && offset < UINT32_MAX &&
           add(g, d, (uint32_t)offset, (uint32_t)offset + 1);
}

static bool read_one(struct given *g, char *text)
{
    const struct session *s = &g->session;
    for (int i = 0; i < s->drivers; i++) {
        const struct session_driver *d = &s->driver[i];
        size_t length = strlen(d->name);
        if (!strncasecmp(text, d->name, length) && text[length] == '!')
            return add_name(g, d, text + length + 1);
        if (!strncasecmp(text, d->name, length) && text[length] == '+')
            return add_offset(g, d, text + length + 1);
    }
    for (int i = 0; i < s->drivers; i++)
        if (add_name(g, &s->driver[i], text))
            return true;
    return false;
}

bool benign_read(struct given *g, const char *command)
{
    char *copy = g->benign ? strdup(g->benign) : NULL, *rest = copy;
    bool ok = true;
    g->machine.benigns = 0;
    for (char *text; ok && (text = strsep(&rest, ","));) {
        ok = *text && read_one(g, text);
        if (!ok && g->machine.benigns == DOOR_BENIGN)
            fprintf(stderr, "irqlab: %s: --benign: more than %d names\n", command, DOOR_BENIGN);
        else if (!ok)
            fprintf(stderr, "irqlab: %s: --benign: the drivers' symbols have no '%s'\n", command, text);
    }
    free(copy);
    return ok;
}
