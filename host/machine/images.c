/*
 * The images in the machine: kernel modules mapped at boot, drivers mapped when the kernel says so, and the linking of
 * imports to exports between them.
 *
 * Image files come from the images file, which the supervisor fills; an id is an index in its directory. Names of
 * modules are compared without letter case and without extension, and the names Windows has used for its kernel all
 * mean ntoskrnl.exe.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <string.h>

#include "base/text.h"
#include "loader/patch.h"
#include "machine/trap.h"

#define IMAGES_LIMIT 256
#define IMAGES_MARKERS 65536
#define IMAGES_SCRATCH (32u << 20) /* what patching the largest image takes, some 60 MiB of code */
#define IMAGES_FORWARDS 8          /* forwarders followed before giving up */

struct loaded {
    uint64_t base;
    uint32_t bytes; /* with the room for patched code */
    uint32_t image_bytes;
    bool driver;
    char name[64];
};

static struct loaded loaded[IMAGES_LIMIT]; /* base 0 = free */
static struct patch_site markers[IMAGES_MARKERS];
static uint64_t scratch[IMAGES_SCRATCH / 8];
struct patch_table marker_table = {
    .site = markers, .capacity = IMAGES_MARKERS, .scratch = scratch, .scratch_bytes = sizeof(scratch)};
static uint64_t boot_end; /* boot images lie in [DOOR_IMAGE_BASE, boot_end) */
static uint64_t gate;     /* page with the guard routines */

/* Where a debugger stops to learn of images; see tools/gdb. */
void __attribute__((noinline)) debug_image_loaded(const char *name, uint64_t base, uint64_t bytes)
{
    __asm__ volatile("" : : "r"(name), "r"(base), "r"(bytes));
}

void __attribute__((noinline)) debug_image_unloaded(const char *name, uint64_t base, uint64_t bytes)
{
    __asm__ volatile("" : : "r"(name), "r"(base), "r"(bytes));
}

enum images_owner images_owner(uint64_t address)
{
    if (address < DOOR_IMAGE_BASE || address >= DOOR_IMAGE_END)
        return IMAGES_NONE;
    return address < boot_end ? IMAGES_KERNEL : IMAGES_DRIVER;
}

/* ---- Names --------------------------------------------------------------------------------------------------- */

static void base_name(char out[64], const char *module)
{
    size_t n = 0;
    const char *dot = NULL;

    for (const char *c = module; *c; c++)
        if (*c == '.')
            dot = c;
    for (const char *c = module; *c && c != dot && n < 63; c++)
        out[n++] = *c;
    out[n] = 0;
}

static struct loaded *find_module(const char *module)
{
    static const char *const kernel_names[] = {"ntkrnlmp", "ntkrnlpa", "ntkrpamp", "ntkrla57"};
    char wanted[64], name[64];

    base_name(wanted, module);
    for (size_t i = 0; i < sizeof(kernel_names) / sizeof(kernel_names[0]); i++)
        if (!text_compare_case(wanted, kernel_names[i]))
            text_copy(wanted, sizeof(wanted), "ntoskrnl");
    for (struct loaded *image = loaded; image < loaded + IMAGES_LIMIT; image++) {
        base_name(name, image->name);
        if (image->base && !text_compare_case(wanted, name))
            return image;
    }
    return NULL;
}

static struct loaded *find_base(uint64_t va)
{
    for (struct loaded *image = loaded; image < loaded + IMAGES_LIMIT; image++)
        if (image->base && image->base == va)
            return image;
    return NULL;
}

/* ---- Exports ------------------------------------------------------------------------------------------------- */

/* "NTOSKRNL.KeFoo" or "NTOSKRNL.#12": the part before the last dot is the module. */
static bool split_forwarder(const char *text, char module[64], const char **name, uint32_t *ordinal)
{
    const char *dot = strrchr(text, '.');

    if (!dot || dot == text || dot - text > 63)
        return false;
    memcpy(module, text, (size_t)(dot - text));
    module[dot - text] = 0;
    *name = dot + 1;
    if (**name == '#') {
        *ordinal = 0;
        for (const char *c = *name + 1; *c >= '0' && *c <= '9' && *ordinal < 65536; c++)
            *ordinal = *ordinal * 10 + (uint32_t)(*c - '0');
        *name = NULL;
    }
    return true;
}

/* Address of an export, forwarders followed; *image becomes the one that has it. 0 = does not exist. */
static uint64_t find_export(struct loaded **image, const char *name, uint32_t ordinal)
{
    char module[64];

    for (int depth = 0; *image && depth < IMAGES_FORWARDS; depth++) {
        const char *forwarder = NULL;
        uint32_t rva = image_export_find((void *)(*image)->base, (*image)->image_bytes, name, ordinal, &forwarder);

        if (!forwarder)
            return rva ? (*image)->base + rva : 0;
        if (!split_forwarder(forwarder, module, &name, &ordinal))
            return 0;
        *image = find_module(module);
    }
    return 0;
}

uint64_t DOOR_CALL images_export(uint64_t va, const char *name)
{
    for (struct loaded *image = loaded; image < loaded + IMAGES_LIMIT; image++) {
        struct loaded *at = image;
        uint64_t target;

        if (!image->base || (va ? image->base != va : image->driver))
            continue;
        target = find_export(&at, name, 0);
        if (target)
            return target;
    }
    return 0;
}

/* ---- Mapping ------------------------------------------------------------------------------------------------- */

static uint64_t bind_import(void *context, const char *module, const char *name, uint32_t ordinal)
{
    struct loaded *importer = context;
    struct loaded *exporter = find_module(module);
    struct door_import import = {.importer = importer->base, .module = module, .name = name, .ordinal = ordinal};

    import.target = exporter ? find_export(&exporter, name, ordinal) : 0;
    import.exporter = import.target ? exporter->base : 0;
    if (importer->driver) {
        import.target = machine.door.up->bind(&import);
        machine_enter(); /* the kernel may have called the door meanwhile */
        return import.target;
    }
    if (!import.target)
        machine_internal("a boot image wants %s!%s, which does not exist", (uint64_t)module,
                         (uint64_t)(name ? name : "#"), 0);
    return import.target;
}

static bool protect(void *context, uint64_t va, uint64_t bytes, uint32_t protection)
{
    return memory_protect(va, bytes, protection) == DOOR_OK;
}

/* The image file behind an id; false = there is none. The directory is the supervisor's, so it is trusted. */
static bool open_file(uint32_t id, struct image_file *file)
{
    const struct channel_image *entry;

    if (!id || id > atomic_load(&channel_images->count))
        return false;
    entry = &channel_images->image[id - 1];
    image_parse(file, (const uint8_t *)channel_images + entry->offset, entry->bytes);
    if (machine.door.points)
        file->info.extra_bytes += patch_points_room(file);
    return true;
}

static int map_image(struct loaded *image, const struct image_file *file, uint64_t va, const char *name, bool driver)
{
    struct image_mapper mapper = {
        .context = image,
        .bind = bind_import,
        .protect = protect,
        .cookie_seed = machine.door.seed ^ va,
        .guard_check = gate,
        .guard_dispatch = gate + 16,
        .shared_data = DOOR_SHARED_DATA,
        .patch = driver,
        .points = driver && machine.door.points,
        .up = machine.door.up,
        .table = &marker_table,
    };
    const char *reason;

    *image = (struct loaded){.base = va,
                             .bytes = file->info.bytes + file->info.extra_bytes,
                             .image_bytes = file->info.bytes,
                             .driver = driver};
    text_copy(image->name, sizeof(image->name), name);
    if (!image_map(file, va, &mapper, &reason)) {
        patch_remove(&marker_table, va, image->bytes);
        image->base = 0;
        return DOOR_BAD_IMAGE;
    }
    debug_image_loaded(image->name, va, image->image_bytes);
    return DOOR_OK;
}

static struct loaded *free_entry(void)
{
    for (struct loaded *image = loaded; image < loaded + IMAGES_LIMIT; image++)
        if (!image->base)
            return image;
    return NULL;
}

int DOOR_CALL images_open(const char *source, uint32_t from_volume, uint32_t *id, struct door_image *image)
{
    struct image_file file;
    int error = DOOR_OK;

    machine_enter();
    *id = 0;
    if (from_volume) {
        text_copy(channel->path, sizeof(channel->path), source);
        channel_ask(CHANNEL_IMAGE);
        error = (int)channel->error;
        *id = error ? 0 : channel->image + 1;
    } else {
        for (uint32_t i = atomic_load(&channel_images->count); i && !*id; i--)
            if (!text_compare_case(channel_images->image[i - 1].name, source))
                *id = i;
    }
    if (!error && !open_file(*id, &file))
        error = DOOR_NOT_FOUND;
    if (!error)
        *image = file.info;
    machine_leave();
    return error;
}

int DOOR_CALL images_map(uint32_t id, uint64_t va, const char *name, struct door_image *image)
{
    struct image_file file;
    struct loaded *entry = free_entry();
    int error;

    machine_enter();
    if (!open_file(id, &file))
        error = DOOR_NOT_FOUND;
    else if (!entry)
        error = DOOR_NO_MEMORY;
    else if (file.info.status)
        error = DOOR_BAD_IMAGE;
    else
        error = map_image(entry, &file, va, name, true);
    if (!error) {
        *image = file.info;
        machine.drivers = true;
    }
    machine_leave();
    return error;
}

int DOOR_CALL images_forget(uint64_t va)
{
    struct loaded *image = find_base(va);

    if (!image)
        return DOOR_NOT_FOUND;
    debug_image_unloaded(image->name, va, image->image_bytes);
    patch_remove(&marker_table, va, image->bytes);
    image->base = 0;
    return DOOR_OK;
}

/* ---- Boot ---------------------------------------------------------------------------------------------------- */

static uint64_t take(uint64_t bytes, uint32_t protection)
{
    struct door *door = &machine.door;
    uint64_t va = door->image_next;

    if (bytes > door->ram_bytes - door->ram_used || memory_map(va, door->ram_used, bytes, protection) != DOOR_OK)
        machine_internal("no memory for the boot images", 0, 0, 0);
    door->ram_used += bytes;
    door->image_next += bytes;
    return va;
}

static void boot_image(const struct channel_image *entry)
{
    struct door *door = &machine.door;
    struct image_file file;
    struct door_event_image *known = &door->image[door->image_count++];
    uint64_t va;

    if (!image_parse(&file, (const uint8_t *)channel_images + entry->offset, entry->bytes))
        machine_internal("%s: %s", (uint64_t)entry->name, (uint64_t)file.info.reason, 0);
    image_drop_debug(&file);
    va = take((file.info.bytes + DOOR_PAGE - 1) & -DOOR_PAGE, DOOR_READ | DOOR_WRITE);
    known->base = va;
    known->bytes = file.info.bytes;
    text_copy(known->name, sizeof(known->name), entry->name);
    if (map_image(&loaded[door->image_count - 1], &file, va, entry->name, false) != DOOR_OK)
        machine_internal("%s: damaged", (uint64_t)entry->name, 0, 0);
}

/* Control flow guard's two routines: one that finds every target good, one that jumps to it. */
static void boot_gate(void)
{
    static const uint8_t check[] = {0xc3}, dispatch[] = {0xff, 0xe0};

    gate = take(DOOR_PAGE, DOOR_READ | DOOR_WRITE);
    memcpy((void *)gate, check, sizeof(check));
    memcpy((void *)(gate + 16), dispatch, sizeof(dispatch));
    memory_protect(gate, DOOR_PAGE, DOOR_READ | DOOR_EXECUTE);
}

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(loaded, sizeof(loaded));
    snapshot_register_table(markers, sizeof(*markers), &marker_table.count);
    snapshot_register(&marker_table, sizeof(marker_table));
}

void images_boot(void)
{
    uint32_t count = channel->machine.boot_images;

    if (count > sizeof(machine.door.image) / sizeof(machine.door.image[0]))
        count = sizeof(machine.door.image) / sizeof(machine.door.image[0]);
    for (uint32_t i = 0; i < count; i++)
        boot_image(&channel_images->image[i]);
    boot_gate();
    boot_end = machine.door.image_next;
}

uint64_t images_entry(void)
{
    struct image_file file;

    open_file(1, &file);
    return machine.door.image[0].base + file.info.entry;
}
