/*
 * INF files: which drivers belong to a device, and what installing it leaves in the registry. (docs: "INF File Sections
 * and Directives", "General Syntax Rules for INF Files")
 *
 * Files come from anywhere: every length is checked, and what is wrong is told with its line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "registry/registry.h"

enum { INF_FILE_BYTES = 4 << 20, INF_BINDINGS = 64, INF_BINDING = 256 };

/* ---- The text ---------------------------------------------------------------------------------------------------- */

/* A line of a section, its %strings% replaced: "key = field, field", or fields alone. UTF-8. */
struct inf_line {
    const char *section;
    char *key; /* NULL: the line has none */
    size_t number, fields;
    char **field;
};

struct inf {
    struct inf_line *line; /* by section, within one as in the file; strings by name */
    size_t lines, room;
    char **section; /* in order */
    size_t sections;
};

/* UTF-16, UTF-8, or else one byte a character. False: why, with the line. inf_free it either way. */
bool inf_parse(struct inf *inf, const void *bytes, size_t size, char why[256]);
void inf_free(struct inf *inf);

bool inf_has(const struct inf *inf, const char *section);

/* The section's line behind `after` (NULL: its first); NULL at the end. Sections of the same name are one. */
const struct inf_line *inf_next(const struct inf *inf, const char *section, const struct inf_line *after);

/* The section's first line with that key; NULL: there is none. */
const struct inf_line *inf_find(const struct inf *inf, const char *section, const char *key);

/* "" where the line has no such field. */
const char *inf_field(const struct inf_line *line, size_t index);

/* ---- What it installs -------------------------------------------------------------------------------------------- */

/* Is a driver of that file name ("x.sys") there? */
typedef bool inf_given_fn(void *context, const char *file);

struct inf_target {
    inf_given_fn *given;
    void *context;
    unsigned major, minor, build;     /* of the system, for models decorated with a version */
    struct registry_stream *registry; /* values for services and devices are added there */
    int bindings;
    char binding[INF_BINDINGS][INF_BINDING]; /* as --device takes them: "PCI\\VEN_1234=x.sys,upper=f.sys" */
};

/* Every device of the file whose drivers are there, and all its services. False: why. */
bool inf_install(const struct inf *inf, struct inf_target *target, char why[256]);
