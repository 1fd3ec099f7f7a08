/*
 * Loads contract_test.sys, which calls every exported routine at every level, into a machine that checks calls and does
 * not make them, and compares the findings with the list the build made from the same rows: exactly one for each call
 * that a contract forbids, none for any other, in that order.
 *
 *     contracts_test KERNEL_DIR contract_test.sys contract_findings.tsv
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "machine/worker.h"
#include "supervisor/supervisor.h"

struct finding {
    int level, variant;
    uint32_t code;
    uint64_t parameter;
    char rule[40], routine[64];
};

struct list {
    struct finding *at;
    size_t count, room;
};

static struct list expected, found;
static unsigned stops;

static struct finding *add(struct list *list)
{
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 4096;
        list->at = realloc(list->at, list->room * sizeof(list->at[0]));
        if (!list->at)
            abort();
    }
    memset(&list->at[list->count], 0, sizeof(list->at[0]));
    return &list->at[list->count++];
}

static void sink(void *context, const struct door_event *event, const void *payload)
{
    const struct door_finding *finding = payload;

    if (event->type == DOOR_EVENT_STOP) {
        printf("the machine stopped with bug check 0x%08" PRIX32 "\n", finding->code);
        stops++;
    }
    if (event->type == DOOR_EVENT_MISSING) {
        printf("%.*s is called, and does not exist\n", (int)event->payload, (const char *)payload);
        stops++;
    }
    if (event->type != DOOR_EVENT_FINDING)
        return;
    struct finding *f = add(&found);
    f->level = event->irql;
    f->variant = -1;
    f->code = finding->code;
    f->parameter = finding->code == 0xc4 ? finding->parameter[0] : 0;
    memcpy(f->rule, finding->rule, sizeof(f->rule));
    memcpy(f->routine, finding->subject, sizeof(f->routine));
    if (strncmp(finding->rule, "irql.call-", 10))
        printf("%s: %s, at 0x%" PRIx64 "\n", finding->rule, finding->text, finding->note[0].frame[0]);
}

static bool same(const struct finding *a, const struct finding *b)
{
    return a->level == b->level && a->code == b->code && a->parameter == b->parameter && !strcmp(a->rule, b->rule) &&
           !strcmp(a->routine, b->routine);
}

static void say(const char *what, const struct finding *f)
{
    printf("%s: %s of %s at level %d", what, f->rule, f->routine, f->level);
    if (f->variant >= 0)
        printf(", variant %d", f->variant);
    printf(", bug check 0x%" PRIX32 " (0x%" PRIX64 ")\n", f->code, f->parameter);
}

/* Both lists are in the order of the calls, so one pass finds what is missing and what is too much. */
static unsigned compare(void)
{
    unsigned differences = 0;
    size_t e = 0;

    for (size_t f = 0; f < found.count && differences < 20; f++) {
        size_t next = e;
        while (next < expected.count && !same(&expected.at[next], &found.at[f]))
            next++;
        if (next == expected.count) {
            say("not expected", &found.at[f]);
            differences++;
            continue;
        }
        for (; e < next; e++, differences++)
            if (differences < 20)
                say("missing", &expected.at[e]);
        e = next + 1;
    }
    for (; e < expected.count && differences < 20; e++, differences++)
        say("missing", &expected.at[e]);
    return differences;
}

static bool read_expected(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256];

    while (file && fgets(line, sizeof(line), file)) {
        struct finding *f;
        if (line[0] == '#')
            continue;
        f = add(&expected);
        if (sscanf(line, "%d %d %39s %" SCNx32 " %" SCNx64 " %63s", &f->level, &f->variant, f->rule, &f->code,
                   &f->parameter, f->routine) != 6)
            return false;
        if (f->code != 0xc4)
            f->parameter = 0;
    }
    if (file)
        fclose(file);
    return expected.count > 0;
}

static void *read_image(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    static unsigned char bytes[8 << 20];

    *size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
    if (file)
        fclose(file);
    return *size ? bytes : NULL;
}

static bool run(const char *kernel_dir, const void *image, size_t size)
{
    struct supervisor_options options = {.processors = 1,
                                         .ram_bytes = 256ull << 20,
                                         .special_pool = true,
                                         .dry_run = true,
                                         .os_major = 10,
                                         .os_build = 19045,
                                         .kernel_dir = kernel_dir};
    struct door_command load = {.code = DOOR_COMMAND_LOAD, .text = "contract_test.sys"};
    struct supervisor_end end;
    char why[256];
    struct supervisor *machine = supervisor_start(&options, sink, NULL, why);

    if (!machine) {
        printf("no machine: %s\n", why);
        return false;
    }
    bool done = supervisor_offer(machine, "contract_test.sys", image, size) && supervisor_command(machine, &load);
    supervisor_finish(machine, &end);
    if (!done || end.outcome != SUPERVISOR_CLEAN || load.status != 0xC0000120) {
        printf("the test driver did not run to its end: status 0x%08" PRIX32 ", %s\n", load.status, end.detail);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    size_t size;
    const void *image;

    if (argc > 0 && !strcmp(argv[0], "irqlab-worker"))
        return worker_main();
    if (argc != 4 || !read_expected(argv[3]) || !(image = read_image(argv[2], &size))) {
        fprintf(stderr, "usage: contracts_test KERNEL_DIR contract_test.sys contract_findings.tsv\n");
        return 2;
    }
    bool ran = run(argv[1], image, size);
    unsigned differences = compare();
    printf("%zu findings expected, %zu found, %s\n", expected.count, found.count,
           differences ? "different" : "all the same");
    return ran && !stops && !differences ? 0 : 1;
}
