/*
 * See inf.h: what is installed. A model's values go below Configurations, by its id; the kernel copies them into the keys of
 * the devices that have the id (nt/pnp/configure.c).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "inf/inf.h"
#include "registry/utf.h"

#define SERVICES "MACHINE\\SYSTEM\\CurrentControlSet\\Services\\"
#define CONFIGURATIONS "MACHINE\\SYSTEM\\DriverDatabase\\Configurations\\"

enum { NAME = 200, PATH = 1024, DATA = 65536 };

enum { REG_NONE = 0, REG_SZ = 1, REG_EXPAND_SZ = 2, REG_BINARY = 3, REG_DWORD = 4, REG_MULTI_SZ = 7 };

struct install {
    const struct inf *inf;
    struct inf_target *to;
    char *why;
    /* the model at hand: */
    char id[NAME], key[PATH];         /* its key below Configurations */
    char function[NAME], other[PATH]; /* "x.sys", ",upper=y.sys,lower=z.sys" */
    uint8_t data[DATA];
};

static bool fail(struct install *at, const struct inf_line *line, const char *what)
{
    snprintf(at->why, 256, "line %zu: %s", line->number, what);
    return false;
}

/* The section of a name and a suffix for this processor, as installers choose it (docs: "INF DDInstall Section"). */
static bool choose(const struct inf *inf, const char *name, const char *suffix, char to[NAME])
{
    static const char *const platforms[] = {".NTamd64", ".NT", ""};
    for (size_t i = 0; i < sizeof platforms / sizeof *platforms; i++)
        if (snprintf(to, NAME, "%s%s%s", name, platforms[i], suffix) < NAME && inf_has(inf, to))
            return true;
    return false;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 0);
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static bool put_text(struct install *at, size_t *used, const char *text)
{
    size_t units = 0, bytes = strlen(text);
    if (*used + (bytes + 1) * 2 > DATA ||
        !utf_from8((uint16_t *)(at->data + *used), &units, (const uint8_t *)text, bytes))
        return false;
    *used += units * 2;
    at->data[(*used)++] = 0;
    at->data[(*used)++] = 0;
    return true;
}

static bool put_bytes(struct install *at, size_t *used, const struct inf_line *line, size_t from)
{
    for (size_t i = from; i < line->fields; i++) {
        char *end;
        unsigned long byte = strtoul(line->field[i], &end, 16);
        if (!*line->field[i])
            continue;
        if (*end || byte > 255 || *used == DATA)
            return false;
        at->data[(*used)++] = (uint8_t)byte;
    }
    return true;
}

/* The data in the fields from `from` on, of a type; a number may be one field or four bytes. */
static bool put_data(struct install *at, size_t *used, const struct inf_line *line, size_t from, uint32_t type)
{
    bool good = true;
    uint32_t value = number(inf_field(line, from));
    *used = 0;
    switch (type) {
    case REG_SZ:
    case REG_EXPAND_SZ:
        return put_text(at, used, inf_field(line, from));
    case REG_MULTI_SZ:
        for (size_t i = from; i < line->fields && good; i++)
            good = !*line->field[i] || put_text(at, used, line->field[i]);
        return good && put_text(at, used, "");
    case REG_DWORD:
        if (line->fields > from + 1)
            return put_bytes(at, used, line, from) && *used == 4;
        memcpy(at->data, &value, *used = sizeof value);
        return true;
    default:
        return put_bytes(at, used, line, from);
    }
}

/* docs: "INF AddReg Directive", flags: bit 0 and the upper half are the type. */
static uint32_t type_of(uint32_t flags)
{
    switch (flags & 0xffff0001) {
    case 0:
        return REG_SZ;
    case 0x10000:
        return REG_MULTI_SZ;
    case 0x20000:
        return REG_EXPAND_SZ;
    case 1:
        return REG_BINARY;
    case 0x10001:
        return REG_DWORD;
    case 0x20001:
        return REG_NONE;
    default:
        return flags >> 16;
    }
}

/* Where a line's root is; own: what HKR stands for. */
static bool put_root(const char *root, const char *own, char key[PATH])
{
    static const char *const roots[][2] = {
        {"HKLM", "MACHINE"}, {"HKCR", "MACHINE\\SOFTWARE\\Classes"}, {"HKU", "USER"}, {"HKCU", "USER\\S-1-5-18"}};
    const char *found = strcasecmp(root, "HKR") ? NULL : own;
    for (size_t i = 0; i < sizeof roots / sizeof *roots && !found; i++)
        if (!strcasecmp(root, roots[i][0]))
            found = roots[i][1];
    return found && snprintf(key, PATH, "%s", found) < PATH;
}

/* Values of a hardware key that are properties of the device itself. (docs: "INF DDInstall.HW Section") */
static bool is_property(const char *name)
{
    static const char *const names[] = {"UpperFilters", "LowerFilters",          "Security",
                                        "DeviceType",   "DeviceCharacteristics", "Exclusive"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcasecmp(name, names[i]))
            return true;
    return false;
}

/* root, subkey, name, flags, data... */
static bool add_value(struct install *at, const struct inf_line *line, const char *own)
{
    enum { DELETES = 4, KEY_ONLY = 0x10 };
    const char *subkey = inf_field(line, 1), *name = inf_field(line, 2);
    uint32_t flags = number(inf_field(line, 3)), type = type_of(flags);
    char key[PATH];
    size_t used = 0, n;
    if (flags & DELETES)
        return true;
    if (!put_root(inf_field(line, 0), !*subkey && is_property(name) ? at->key : own, key))
        return fail(at, line, "a registry root is HKR, HKLM, HKCR, HKU or HKCU");
    n = strlen(key);
    if (*subkey && snprintf(key + n, PATH - n, "\\%s", subkey) >= (int)(PATH - n))
        return fail(at, line, "the key's name is too long");
    if (flags & KEY_ONLY || line->fields < 3)
        return registry_add_text(at->to->registry, DOOR_REGISTRY_CREATE, key, NULL, 0, NULL, 0);
    if (!put_data(at, &used, line, 4, type))
        return fail(at, line, "data that its type does not have");
    return registry_add_text(at->to->registry, DOOR_REGISTRY_SET, key, name, type, at->data, used) ||
           fail(at, line, "a name or data that no registry takes");
}

/* All AddReg directives of a section. */
static bool add_registry(struct install *at, const char *section, const char *own)
{
    const struct inf_line *directive = NULL, *line;
    while ((directive = inf_next(at->inf, section, directive)) != NULL)
        for (size_t i = 0; directive->key && !strcasecmp(directive->key, "AddReg") && i < directive->fields; i++)
            for (line = NULL; (line = inf_next(at->inf, directive->field[i], line)) != NULL;)
                if (!add_value(at, line, own))
                    return false;
    return true;
}

static bool add_text(struct install *at, const char *key, const char *name, const char *text)
{
    size_t used = 0;
    return !*text || (put_text(at, &used, text) &&
                      registry_add_text(at->to->registry, DOOR_REGISTRY_SET, key, name, REG_SZ, at->data, used));
}

/* ---- Services ---------------------------------------------------------------------------------------------------- */

/* %12%\x.sys -> x.sys */
static bool file_of(const struct inf *inf, const char *section, char file[NAME])
{
    const char *path = inf_field(inf_find(inf, section, "ServiceBinary"), 0), *slash = strrchr(path, '\\');
    return snprintf(file, NAME, "%s", slash ? slash + 1 : path) < NAME && strlen(file) > 4;
}

/* The service's key has the name of its file here, as `irqlab run x.sys` gives it. */
static bool add_service(struct install *at, const struct inf_line *line)
{
    static const char *const numbers[][2] = {
        {"ServiceType", "Type"}, {"StartType", "Start"}, {"ErrorControl", "ErrorControl"}};
    const char *section = inf_field(line, 2);
    char file[NAME], key[PATH];
    if (!*inf_field(line, 0))
        return true;
    if (!file_of(at->inf, section, file))
        return fail(at, line, "the service has no ServiceBinary");
    if (!at->to->given(at->to->context, file))
        return true;
    snprintf(key, sizeof key, SERVICES "%.*s", (int)strlen(file) - 4, file);
    for (size_t i = 0; i < 3; i++) {
        uint32_t value = number(inf_field(inf_find(at->inf, section, numbers[i][0]), 0));
        if (inf_find(at->inf, section, numbers[i][0]) &&
            !registry_add_text(at->to->registry, DOOR_REGISTRY_SET, key, numbers[i][1], REG_DWORD, &value, 4))
            return fail(at, line, "no memory");
    }
    return add_text(at, key, "DisplayName", inf_field(inf_find(at->inf, section, "DisplayName"), 0)) &&
           add_text(at, key, "Group", inf_field(inf_find(at->inf, section, "LoadOrderGroup"), 0)) &&
           add_registry(at, section, key);
}

static bool add_services(struct install *at, const char *services)
{
    const struct inf_line *line = NULL;
    while ((line = inf_next(at->inf, services, line)) != NULL)
        if (line->key && !strcasecmp(line->key, "AddService") && !add_service(at, line))
            return false;
    return true;
}

/* The file of a service that the section adds; else its name's own. */
static void file_of_service(const struct inf *inf, const char *services, const char *name, char file[NAME])
{
    const struct inf_line *line = NULL;
    while ((line = inf_next(inf, services, line)) != NULL)
        if (line->key && !strcasecmp(line->key, "AddService") && !strcasecmp(inf_field(line, 0), name) &&
            file_of(inf, inf_field(line, 2), file))
            return;
    snprintf(file, NAME, "%.150s.sys", name);
}

/* ---- Which drivers ----------------------------------------------------------------------------------------------- */

static bool add_filter(struct install *at, const char *services, const char *kind, const char *service)
{
    char file[NAME];
    size_t used = strlen(at->other);
    file_of_service(at->inf, services, service, file);
    return snprintf(at->other + used, sizeof at->other - used, ",%s=%s", kind, file) < (int)(sizeof at->other - used) &&
           at->to->given(at->to->context, file);
}

/* Filters that the hardware key's values name. */
static bool find_filters(struct install *at, const char *hardware, const char *services)
{
    const struct inf_line *directive = NULL, *line;
    while ((directive = inf_next(at->inf, hardware, directive)) != NULL)
        for (size_t i = 0; directive->key && !strcasecmp(directive->key, "AddReg") && i < directive->fields; i++)
            for (line = NULL; (line = inf_next(at->inf, directive->field[i], line)) != NULL;) {
                bool upper = !strcasecmp(inf_field(line, 2), "UpperFilters");
                bool own = !strcasecmp(inf_field(line, 0), "HKR") && !*inf_field(line, 1);
                if (!own || (!upper && strcasecmp(inf_field(line, 2), "LowerFilters")))
                    continue;
                for (size_t k = 4; k < line->fields; k++)
                    if (*line->field[k] && !add_filter(at, services, upper ? "upper" : "lower", line->field[k]))
                        return false;
            }
    return true;
}

/* Those of AddFilter directives. (docs: "INF AddFilter Directive") */
static bool find_added_filters(struct install *at, const char *filters, const char *services)
{
    const struct inf_line *line = NULL;
    while ((line = inf_next(at->inf, filters, line)) != NULL) {
        const char *position = inf_field(inf_find(at->inf, inf_field(line, 2), "FilterPosition"), 0);
        if (line->key && !strcasecmp(line->key, "AddFilter") &&
            !add_filter(at, services, strcasecmp(position, "Lower") ? "upper" : "lower", inf_field(line, 0)))
            return false;
    }
    return true;
}

/* False: one that is not there, or none at all. */
static bool find_drivers(struct install *at, const char *install)
{
    const struct inf_line *line = NULL;
    char services[NAME] = "", section[NAME];
    *at->function = *at->other = 0;
    choose(at->inf, install, ".Services", services);
    while ((line = inf_next(at->inf, services, line)) != NULL)
        if (line->key && !strcasecmp(line->key, "AddService") && number(inf_field(line, 1)) & 2 &&
            file_of(at->inf, inf_field(line, 2), at->function) && !at->to->given(at->to->context, at->function))
            return false;
    if (choose(at->inf, install, ".HW", section) && !find_filters(at, section, services))
        return false;
    if (choose(at->inf, install, ".Filters", section) && !find_added_filters(at, section, services))
        return false;
    return *at->function || *at->other;
}

/* ---- Models ------------------------------------------------------------------------------------------------------ */

static bool bind(struct install *at, const struct inf_line *line)
{
    struct inf_target *to = at->to;
    if (to->bindings == INF_BINDINGS)
        return fail(at, line, "too many devices for the drivers given");
    if (strpbrk(at->id, ",=;") || snprintf(to->binding[to->bindings], INF_BINDING, "%s%s%s%s", at->id,
                                           *at->function ? "=" : "", at->function, at->other) >= INF_BINDING)
        return fail(at, line, "a device with such an id and such drivers can't be bound");
    to->bindings++;
    return true;
}

static bool configure(struct install *at, const struct inf_line *line, const char *manufacturer)
{
    const char *install = inf_field(line, 0), *version = "Version";
    char section[NAME], own[PATH + 16];
    size_t n = (size_t)snprintf(at->key, sizeof at->key, CONFIGURATIONS "%s", at->id);
    for (char *c = at->key + sizeof CONFIGURATIONS - 1; c < at->key + n; c++)
        *c = *c == '\\' ? '#' : *c;
    bool good = add_text(at, at->key, "DeviceDesc", line->key ? line->key : "") &&
                add_text(at, at->key, "Mfg", manufacturer) &&
                add_text(at, at->key, "Class", inf_field(inf_find(at->inf, version, "Class"), 0)) &&
                add_text(at, at->key, "ClassGUID", inf_field(inf_find(at->inf, version, "ClassGuid"), 0));
    snprintf(own, sizeof own, "%s\\Driver", at->key);
    if (good && choose(at->inf, install, "", section))
        good = add_registry(at, section, own);
    snprintf(own, sizeof own, "%s\\Device", at->key);
    if (good && choose(at->inf, install, ".HW", section))
        good = add_registry(at, section, own);
    if (good && choose(at->inf, install, ".Services", section))
        good = add_services(at, section);
    return good;
}

/* description = install section, hardware id, compatible ids... */
static bool install_model(struct install *at, const struct inf_line *line, const char *manufacturer)
{
    if (!find_drivers(at, inf_field(line, 0)))
        return true;
    for (size_t i = 1; i < line->fields; i++) {
        if (!*line->field[i])
            continue;
        if (snprintf(at->id, sizeof at->id, "%s", line->field[i]) >= (int)sizeof at->id)
            return fail(at, line, "the device's id is too long");
        if (!bind(at, line) || !configure(at, line, manufacturer))
            return false;
    }
    return true;
}

/* NTamd64[.major[.minor[.product[.suite[.build]]]]] (docs: "INF Manufacturer Section"): is it for this system, and how new? */
static int64_t rank_of(const struct inf_target *to, const char *platform)
{
    unsigned part[5] = {0}; /* major, minor, product, suite, build */
    bool processor = !strncasecmp(platform, "NTamd64", 7);
    const char *at = platform + (processor ? 7 : 2);
    if (strncasecmp(platform, "NT", 2) || (*at && *at != '.'))
        return -1;
    for (int i = 0; i < 5 && *at == '.'; i++) {
        char *end;
        part[i] = (unsigned)strtoul(at + 1, &end, 0) & 0xffff;
        at = end;
    }
    int64_t wanted = (int64_t)part[0] << 40 | (int64_t)part[1] << 20 | part[4];
    int64_t here = (int64_t)to->major << 40 | (int64_t)to->minor << 20 | to->build;
    return wanted > here ? -1 : wanted << 1 | processor;
}

/* manufacturer = models section, platforms...: the best section, "" when none is for this system */
static void choose_models(struct install *at, const struct inf_line *line, char models[NAME])
{
    int64_t best = -1;
    if (line->fields < 2)
        snprintf(models, NAME, "%.190s", inf_field(line, 0));
    else
        *models = 0;
    for (size_t i = 1; i < line->fields; i++) {
        int64_t rank = rank_of(at->to, line->field[i]);
        char name[NAME];
        snprintf(name, sizeof name, "%.100s.%.90s", inf_field(line, 0), line->field[i]);
        if (rank <= best || !inf_has(at->inf, name))
            continue;
        best = rank;
        snprintf(models, NAME, "%s", name);
    }
}

bool inf_install(const struct inf *inf, struct inf_target *target, char why[256])
{
    struct install *at = calloc(1, sizeof *at);
    const struct inf_line *maker = NULL, *model;
    char models[NAME], services[NAME];
    bool good = at != NULL;
    snprintf(why, 256, "no memory");
    if (good)
        *at = (struct install){.inf = inf, .to = target, .why = why};
    while (good && (maker = inf_next(inf, "Manufacturer", maker)) != NULL) {
        choose_models(at, maker, models);
        for (model = NULL; good && *models && (model = inf_next(inf, models, model)) != NULL;)
            good = install_model(at, model, maker->key ? maker->key : inf_field(maker, 0));
    }
    if (good && choose(inf, "DefaultInstall", ".Services", services))
        good = add_services(at, services);
    free(at);
    return good;
}
