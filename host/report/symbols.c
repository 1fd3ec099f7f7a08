/*
 * See symbols.h. Each image's file is opened at the first question about it. Sources in order of trust: symbolizer for
 * functions with lines; the image's own names, its PDB's and its exports for functions without and for data.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/temporary.h"
#include "report/pdb.h"
#include "report/symbolizer.h"
#include "report/symbols.h"
#include "report/symtab.h"

struct symbols_module {
    struct symbols_module *next;
    uint64_t base;
    uint32_t bytes;
    bool driver, loaded, opened;
    char name[64];
    char *path;          /* of the file opened, NULL = none found */
    char *pdb;           /* of its PDB, NULL = none */
    char link[PATH_MAX]; /* directory of links to both, while the symbolizer opens them; "" = none */
    void *mapped;
    size_t mapped_bytes;
    struct symtab table;
};

struct symbols_source {
    struct symbols_source *next;
    char *name, *path;
};

struct symbols_string {
    struct symbols_string *next;
    char text[];
};

struct symbols {
    char *kernel_dir, *directory;
    char here[PATH_MAX]; /* working directory with a slash: paths below it are shown relative to it; "" = not known */
    struct symbolizer *symbolizer;
    struct symbols_module *modules; /* newest first */
    struct symbols_source *sources;
    struct symbols_string *strings[256];
};

struct symbols *symbols_open(const char *kernel_dir, const char *directory)
{
    struct symbols *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->kernel_dir = kernel_dir ? strdup(kernel_dir) : NULL;
    s->directory = directory ? strdup(directory) : NULL;
    s->symbolizer = symbolizer_open();
    if (getcwd(s->here, sizeof s->here - 1))
        strcat(s->here, "/");
    else
        *s->here = 0;
    return s;
}

void symbols_close(struct symbols *s)
{
    if (!s)
        return;
    for (struct symbols_module *m = s->modules, *next; m; m = next) {
        next = m->next;
        symtab_close(&m->table);
        if (m->mapped)
            munmap(m->mapped, m->mapped_bytes);
        free(m->path);
        free(m->pdb);
        free(m);
    }
    for (struct symbols_source *f = s->sources, *next; f; f = next) {
        next = f->next;
        free(f->name);
        free(f->path);
        free(f);
    }
    for (size_t i = 0; i < 256; i++)
        for (struct symbols_string *t = s->strings[i], *next; t; t = next) {
            next = t->next;
            free(t);
        }
    symbolizer_close(s->symbolizer);
    free(s->kernel_dir);
    free(s->directory);
    free(s);
}

/* One copy of each text. */
static const char *keep(struct symbols *s, const char *text)
{
    uint32_t hash = 5381;
    for (const char *p = text; *p; p++)
        hash = hash * 33 + (uint8_t)*p;
    struct symbols_string **list = &s->strings[hash % 256];
    for (struct symbols_string *t = *list; t; t = t->next)
        if (!strcmp(t->text, text))
            return t->text;
    struct symbols_string *t = malloc(sizeof *t + strlen(text) + 1);
    if (!t)
        return "?";
    strcpy(t->text, text);
    t->next = *list;
    *list = t;
    return t->text;
}

const char *symbols_base(const char *path)
{
    const char *base = path;
    for (const char *p = path; *p; p++)
        if ((*p == '/' || *p == '\\') && p[1])
            base = p + 1;
    return base;
}

void symbols_file(struct symbols *s, const char *name, const char *path)
{
    struct symbols_source *f = calloc(1, sizeof *f);
    if (!f)
        return;
    f->name = strdup(name);
    f->path = strdup(path);
    f->next = s->sources;
    s->sources = f;
}

void symbols_image(struct symbols *s, const struct door_event_image *image)
{
    struct symbols_module *m = calloc(1, sizeof *m);
    if (!m)
        return;
    m->base = image->base;
    m->bytes = image->bytes;
    m->driver = image->driver == 1;
    m->loaded = true;
    snprintf(m->name, sizeof m->name, "%.*s", (int)strnlen(image->name, sizeof image->name), image->name);
    m->next = s->modules;
    s->modules = m;
}

void symbols_unimage(struct symbols *s, const struct door_event_image *image)
{
    for (struct symbols_module *m = s->modules; m; m = m->next)
        if (m->loaded && m->base == image->base) {
            m->loaded = false;
            return;
        }
}

/* Loaded images first, then the one unloaded last. */
static struct symbols_module *module_at(const struct symbols *s, uint64_t address)
{
    struct symbols_module *gone = NULL;
    for (struct symbols_module *m = s->modules; m; m = m->next) {
        if (address < m->base || address - m->base >= m->bytes)
            continue;
        if (m->loaded)
            return m;
        if (!gone)
            gone = m;
    }
    return gone;
}

static bool try_file(struct symbols_module *m, const char *directory, const char *path)
{
    char *full = NULL;
    struct stat st;
    if (asprintf(&full, "%s%s%s", directory ? directory : "", directory ? "/" : "", path) < 0)
        return false;
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
        m->mapped_bytes = (size_t)st.st_size;
        m->mapped = mmap(NULL, m->mapped_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (m->mapped == MAP_FAILED)
            m->mapped = NULL;
    }
    if (fd >= 0)
        close(fd);
    if (!m->mapped) {
        free(full);
        return false;
    }
    m->path = full;
    return true;
}

/* A copy in --symbols DIR comes first: that is the one with the debug data, when the driver itself was stripped. */
static struct symtab *open_module(struct symbols *s, struct symbols_module *m)
{
    if (m->opened)
        return &m->table;
    m->opened = true;
    bool found = m->driver && s->directory && try_file(m, s->directory, m->name);
    for (struct symbols_source *f = s->sources; f && !found; f = f->next)
        if (!strcasecmp(f->name, m->name))
            found = try_file(m, NULL, f->path);
    if (!found && !m->driver && s->kernel_dir)
        found = try_file(m, s->kernel_dir, m->name);
    char pdb[PATH_MAX];
    if (found && symtab_open(&m->table, m->mapped, m->mapped_bytes) && m->driver &&
        pdb_read(&m->table, m->path, s->directory, pdb, sizeof pdb))
        m->pdb = strdup(pdb);
    return &m->table;
}

/*
 * llvm-symbolizer looks for a PDB where the linker wrote it and beside the image, nowhere else. For one that lies in
 * --symbols DIR both get links side by side, for as long as the first question takes: it keeps them open from then on.
 */
static unsigned ask(struct symbols *s, struct symbols_module *m, uint32_t rva, struct symbolizer_frame *told)
{
    char image[PATH_MAX], pdb[PATH_MAX], image_link[sizeof m->link + 80], pdb_link[sizeof m->link + 512];
    if (!m->path || !s->symbolizer || !m->driver)
        return 0;
    if (!m->pdb || !s->directory || strncmp(m->pdb, s->directory, strlen(s->directory)))
        return symbolizer_ask(s->symbolizer, m->path, rva, told, SYMBOLS_INLINES);
    bool first = !*m->link;
    if (first) {
        if (temporary_directory(m->link, sizeof m->link, "-symbols")) {
            *m->link = 0;
            return 0;
        }
    }
    snprintf(image_link, sizeof image_link, "%s/%s", m->link, m->name);
    snprintf(pdb_link, sizeof pdb_link, "%s/%.255s", m->link, symbols_base(m->pdb));
    bool linked = first && realpath(m->path, image) && realpath(m->pdb, pdb) && !symlink(image, image_link) &&
                  !symlink(pdb, pdb_link);
    unsigned count = linked || !first ? symbolizer_ask(s->symbolizer, image_link, rva, told, SYMBOLS_INLINES) : 0;
    if (first) {
        unlink(image_link);
        unlink(pdb_link);
        rmdir(m->link);
    }
    return count;
}

static void name_function(struct symbols *s, struct symtab *table, struct symbols_frame *frame, uint32_t lookup)
{
    const struct symtab_name *name = symtab_nearest(table, lookup, SYMTAB_FUNCTION);
    uint32_t start = symtab_function_start(table, lookup);
    if (name && name->rva < start) /* the entry in between has no name: don't lend it another's */
        name = NULL;
    if (!frame->function && name)
        frame->function = keep(s, name->text);
    if (name && (!start || name->rva >= start))
        start = name->rva;
    frame->function_offset = start ? frame->offset - start : ~0u;
}

static bool starts_function(struct symtab *table, uint32_t rva)
{
    const struct symtab_name *name = symtab_nearest(table, rva, SYMTAB_FUNCTION);
    return (name && name->rva == rva) || (rva && symtab_function_start(table, rva) == rva);
}

/* What was inlined at its first instruction says nothing about a function. */
static unsigned whole_function(struct symbolizer_frame *told, unsigned count)
{
    if (!count)
        return 0;
    told[0] = told[count - 1];
    if (told[0].start_line) {
        told[0].line = told[0].start_line;
        told[0].column = 0;
    }
    return 1;
}

unsigned symbols_resolve(struct symbols *s, uint64_t address, enum symbols_address kind,
                         struct symbols_frame frames[SYMBOLS_INLINES])
{
    struct symbolizer_frame told[SYMBOLS_INLINES];
    struct symbols_module *m = module_at(s, address);
    if (!m && kind == SYMBOLS_RETURN) /* a call that never returns may be the last instruction of an image */
        m = module_at(s, address - 1);
    memset(frames, 0, sizeof *frames);
    frames[0].function_offset = ~0u;
    if (!m)
        return 1;
    struct symtab *table = open_module(s, m);
    uint32_t rva = (uint32_t)(address - m->base), lookup = rva;
    if (kind == SYMBOLS_RETURN || (kind == SYMBOLS_GUESS && symtab_returns_here(table, rva)))
        lookup = rva - 1;
    unsigned count = ask(s, m, lookup, told);
    if (kind != SYMBOLS_EXACT && rva &&
        starts_function(table, rva - 1)) /* no call returns there: the routine is meant */
        count = whole_function(told, count);
    for (unsigned i = 0; i < (count ? count : 1); i++) {
        frames[i] = (struct symbols_frame){.module = keep(s, m->name), .offset = rva, .driver = m->driver};
        frames[i].inlined = i + 1 < count;
        frames[i].function_offset = ~0u;
        if (count && *told[i].function)
            frames[i].function = keep(s, told[i].function);
        if (count && *told[i].file) {
            size_t below = strncmp(told[i].file, s->here, strlen(s->here)) ? 0 : strlen(s->here);
            frames[i].file = keep(s, told[i].file + below);
            frames[i].line = told[i].line;
            frames[i].column = told[i].column;
        }
    }
    unsigned last = count ? count - 1 : 0;
    name_function(s, table, &frames[last], lookup);
    for (unsigned i = 0; i < last; i++)
        frames[i].function_offset = frames[last].function_offset;
    return last + 1;
}

const char *symbols_called(struct symbols *s, uint64_t address)
{
    struct symbols_module *m = module_at(s, address);
    const char *name = m ? symtab_called(open_module(s, m), (uint32_t)(address - m->base)) : NULL;
    return name ? keep(s, name) : NULL;
}

const char *symbols_object(struct symbols *s, uint64_t address, char *name, size_t room)
{
    struct symbols_module *m = module_at(s, address);
    if (m) {
        uint32_t rva = (uint32_t)(address - m->base);
        struct symtab *table = open_module(s, m);
        const struct symtab_name *data = symtab_nearest(table, rva, SYMTAB_DATA);
        const struct symtab_name *code = symtab_nearest(table, rva, SYMTAB_FUNCTION);
        const struct symtab_name *best = data ? data : code;
        if (best && best->rva == rva)
            snprintf(name, room, "'%s'", best->text);
        else if (best && data)
            snprintf(name, room, "'%s'+0x%x", best->text, rva - best->rva);
        else
            snprintf(name, room, "%s+0x%x", m->name, rva);
    } else if (address >= DOOR_LINEAR_BASE && address < DOOR_PAGED_BASE)
        snprintf(name, room, "pool+0x%llx", (unsigned long long)(address - DOOR_LINEAR_BASE));
    else if (address >= DOOR_PAGED_BASE && address < DOOR_STACK_BASE)
        snprintf(name, room, "paged+0x%llx", (unsigned long long)(address - DOOR_PAGED_BASE));
    else if (address >= DOOR_STACK_BASE && address < DOOR_IMAGE_BASE)
        snprintf(name, room, "stack %llu+0x%llx", (unsigned long long)((address - DOOR_STACK_BASE) / DOOR_STACK_SLOT),
                 (unsigned long long)((address - DOOR_STACK_BASE) % DOOR_STACK_SLOT));
    else
        snprintf(name, room, "0x%llx", (unsigned long long)address);
    return name;
}

void symbols_place(struct symbols *s, uint64_t address, char *text, size_t room)
{
    struct symbols_module *m = module_at(s, address);
    struct symbols_frame frame = {0};
    *text = 0;
    if (!m)
        return;
    frame.offset = (uint32_t)(address - m->base);
    name_function(s, open_module(s, m), &frame, frame.offset);
    if (frame.function && frame.function_offset == 0)
        snprintf(text, room, "%s!%s", m->name, frame.function);
    else if (frame.function && frame.function_offset != ~0u)
        snprintf(text, room, "%s!%s+0x%x", m->name, frame.function, frame.function_offset);
    else
        snprintf(text, room, "%s+0x%x", m->name, frame.offset);
}

bool symbols_driver(const struct symbols *s, uint64_t address)
{
    const struct symbols_module *m = module_at(s, address);
    return m && m->driver;
}
