/*
 * Reports from records written by hand: each case feeds events to a report and compares the text and the JSON with
 * golden/CASE.txt and golden/CASE.json. `report_test --rebase` writes those anew; read the difference before committing
 * it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "report/report.h"

#define GOLDEN "tests/report/golden/"
#define STUCK 0x1a0010000000ull /* where stuck.sys is loaded */
#define KERNEL 0x1a0000000000ull
/* stuck.sys, see stuck.S */
enum { AFTER_SET_TIMER = 0x1011, AFTER_PRINT = 0x1016, AFTER_CREATE_FILE = 0x102a, TIMER = 0x2010 };

static bool rebase;

struct feed {
    struct report *report;
    struct door_event event;
};

struct test {
    const char *name;
    void (*run)(struct feed *feed);
    bool color, full_stacks, go_on, no_files;
    int status;
};

static void emit(struct feed *f, enum door_event_type type, const void *payload, size_t bytes)
{
    f->event.type = (uint16_t)type;
    f->event.payload = (uint32_t)bytes;
    f->event.bytes = (uint32_t)(sizeof f->event + ((bytes + 7) & ~7ull));
    report_event(f->report, &f->event, payload);
}

/* From now on: virtual time in microseconds, processor, level, thread. */
static void at(struct feed *f, uint64_t us, unsigned cpu, unsigned irql, unsigned thread)
{
    f->event.time = us * 10;
    f->event.processor = (uint8_t)cpu;
    f->event.irql = (uint8_t)irql;
    f->event.thread = thread;
}

static void print(struct feed *f, const char *text)
{
    emit(f, DOOR_EVENT_PRINT, text, strlen(text));
}

static void image(struct feed *f, enum door_event_type type, uint64_t base, const char *name, bool driver)
{
    struct door_event_image i = {.base = base, .bytes = 0x10000, .driver = driver};
    snprintf(i.name, sizeof i.name, "%s", name);
    emit(f, type, &i, sizeof i);
}

static void images(struct feed *f)
{
    image(f, DOOR_EVENT_IMAGE, KERNEL, "ntoskrnl.exe", false);
    image(f, DOOR_EVENT_IMAGE, STUCK, "stuck.sys", true);
}

/* The talk's finding. */
static struct door_finding call_too_high(void)
{
    struct door_finding f = {.rule = "irql.call-too-high",
                             .subject = "ZwCreateFile",
                             .code = 0xa,
                             .notes = 2,
                             .text = "ZwCreateFile called at DISPATCH_LEVEL",
                             .parameter = {0, 2, 0, STUCK + AFTER_CREATE_FILE}};
    f.note[0] = (struct door_note){.kind = DOOR_NOTE_CALLER,
                                   .frames = 3,
                                   .object = STUCK + TIMER,
                                   .frame = {STUCK + AFTER_CREATE_FILE, KERNEL + 0x1234, KERNEL + 0x4321},
                                   .origin = "DPC of timer %o"};
    f.note[1] = (struct door_note){
        .kind = DOOR_NOTE_LEVEL,
        .frames = 2,
        .object = STUCK + TIMER,
        .frame = {STUCK + AFTER_SET_TIMER, KERNEL + 0x9999},
        .text = "The level is 2 because a DPC routine runs at DISPATCH_LEVEL. The timer was set at:"};
    return f;
}

static void find(struct feed *f, const struct door_finding *finding)
{
    emit(f, DOOR_EVENT_FINDING, finding, sizeof *finding);
}

static void stop(struct feed *f, const struct door_finding *finding)
{
    emit(f, DOOR_EVENT_STOP, finding, sizeof *finding);
}

static void end(struct feed *f, enum supervisor_outcome outcome, const char *detail)
{
    struct supervisor_end e = {.outcome = outcome};
    snprintf(e.detail, sizeof e.detail, "%s", detail);
    report_end(f->report, &e);
}

/* ---- The cases ------------------------------------------------------------------------------------------------- */

static void talk(struct feed *f)
{
    struct door_finding finding = call_too_high();
    images(f);
    at(f, 1500, 0, 0, 4);
    print(f, "stuck: hello\n");
    at(f, 1000000, 0, 2, 0);
    find(f, &finding);
    print(f, "a bug check callback prints\n");
    stop(f, &finding);
    end(f, SUPERVISOR_STOPPED, "");
}

/* A fault right behind a call: its line is that of the access, not of the call. */
static void fault(struct feed *f)
{
    struct door_finding finding = {.rule = "memory.paged-at-dispatch",
                                   .subject = "paged pool",
                                   .code = 0xd1,
                                   .notes = 2,
                                   .text = "paged pool read at DISPATCH_LEVEL",
                                   .parameter = {0x140000001240ull, 2, 0, STUCK + AFTER_CREATE_FILE}};
    finding.note[0] = (struct door_note){
        .kind = DOOR_NOTE_CALLER, .frames = 1, .frame = {STUCK + AFTER_CREATE_FILE}, .origin = "DriverEntry"};
    finding.note[1] = (struct door_note){.kind = DOOR_NOTE_OBJECT,
                                         .frames = 1,
                                         .frame = {STUCK + AFTER_PRINT},
                                         .object = 0x140000001240ull,
                                         .text = "The block %o was allocated at:"};
    images(f);
    at(f, 20, 1, 2, 4);
    find(f, &finding);
    stop(f, &finding);
    end(f, SUPERVISOR_STOPPED, "");
}

static void going_on(struct feed *f)
{
    struct door_finding again = call_too_high(), other = call_too_high();
    snprintf(other.subject, sizeof other.subject, "ZwWriteFile");
    snprintf(other.text, sizeof other.text, "ZwWriteFile called at DISPATCH_LEVEL");
    images(f);
    for (int i = 1; i <= 3; i++) {
        at(f, (uint64_t)i * 1000000, 0, 2, 0);
        find(f, &again);
        print(f, "tick\n");
    }
    find(f, &other);
    end(f, SUPERVISOR_CLEAN, "");
}

/* Passed over at first; later the same place is a real bug check. */
static void going_on_until_stop(struct feed *f)
{
    struct door_finding finding = call_too_high(), real = {.code = 0xd1, .parameter = {8, 2, 1, STUCK + AFTER_PRINT}};
    images(f);
    at(f, 1000000, 0, 2, 0);
    find(f, &finding);
    stop(f, &real);
    end(f, SUPERVISOR_STOPPED, "");
}

static void partial_lines(struct feed *f)
{
    static const char bad[] = "escape \033[31m bell \a bad \xff\xc3( euro \xe2\x82\xac csi \xc2\x9b tab\tend\r\n";
    at(f, 10, 0, 0, 4);
    print(f, "one");
    at(f, 11, 1, 0, 8);
    print(f, "other cpu\n");
    at(f, 12, 0, 0, 4);
    print(f, " line\nsecond\n\nfourth");
    at(f, 13, 0, 2, 4);
    print(f, "a DPC came in between\n");
    at(f, 14, 0, 0, 4);
    print(f, bad);
    at(f, 123456789, 63, 5, 4);
    print(f, "device\n");
    at(f, 123456789, 3, 15, 4);
    print(f, "no newline at the end");
    char big[3000];
    memset(big, 'x', sizeof big);
    emit(f, DOOR_EVENT_PRINT, big, sizeof big);
    emit(f, DOOR_EVENT_PRINT, "", 0);
    end(f, SUPERVISOR_CLEAN, "");
}

static void bugcheck_of_the_driver(struct feed *f)
{
    struct door_finding finding = {.code = 0xdeadbeef, .parameter = {1, 2, 3, STUCK + AFTER_PRINT}};
    images(f);
    at(f, 7, 0, 0, 4);
    stop(f, &finding);
    end(f, SUPERVISOR_STOPPED, "");
}

/* Frames in an image that is gone, and in one loaded where it was. */
static void unloaded(struct feed *f)
{
    struct door_finding finding = call_too_high();
    images(f);
    image(f, DOOR_EVENT_UNIMAGE, STUCK, "stuck.sys", true);
    finding.note[1].frame[0] = STUCK + AFTER_PRINT;
    at(f, 1000000, 0, 2, 0);
    find(f, &finding);
    image(f, DOOR_EVENT_IMAGE, STUCK + 0x2000, "other.sys", true);
    snprintf(finding.rule, sizeof finding.rule, "unload.timer");
    finding.note[0].frame[0] = STUCK + 0x2010;
    find(f, &finding);
    end(f, SUPERVISOR_CLEAN, "");
}

static void missing(struct feed *f)
{
    images(f);
    at(f, 5, 0, 0, 4);
    static const char what[] = "ntoskrnl.exe!KeFooBar", note[] = "stuck.sys: no unload routine";
    emit(f, DOOR_EVENT_MISSING, what, sizeof what - 1);
    emit(f, DOOR_EVENT_NOTE, note, sizeof note - 1);
    struct door_finding finding = call_too_high();
    snprintf(finding.rule, sizeof finding.rule, "driver.missing-import");
    snprintf(finding.subject, sizeof finding.subject, "ntoskrnl.exe!KeBarFoo");
    snprintf(finding.text, sizeof finding.text, "ntoskrnl.exe!KeBarFoo is called, which does not exist here");
    finding.code = 0;
    emit(f, DOOR_EVENT_MISSING, finding.subject, strlen(finding.subject));
    find(f, &finding);
    end(f, SUPERVISOR_STOPPED, "");
}

static void no_stacks(struct feed *f)
{
    struct door_finding finding = call_too_high();
    images(f);
    at(f, 1000000, 0, 2, 0);
    finding.note[1].frames = 0;
    finding.notes = 3;
    finding.note[2] = (struct door_note){.kind = DOOR_NOTE_OTHER, .text = "It was queued at:"};
    find(f, &finding);
    end(f, SUPERVISOR_STOPPED, "");
}

static void killed(struct feed *f)
{
    images(f);
    print(f, "so far");
    end(f, SUPERVISOR_CRASHED, "SIGKILL");
}

/* A wrecked machine may record anything. */
static void damaged(struct feed *f)
{
    static const char tail[] = "\n";
    struct door_finding finding;
    memset(&finding, 0x41, sizeof finding);
    images(f);
    at(f, 5, 77, 99, 4);
    find(f, &finding);
    emit(f, DOOR_EVENT_FINDING, &finding, 10);
    emit(f, DOOR_EVENT_STOP, &finding, 0);
    struct door_event_image i;
    memset(&i, 0xff, sizeof i);
    emit(f, DOOR_EVENT_IMAGE, &i, sizeof i);
    emit(f, DOOR_EVENT_UNIMAGE, &i, 3);
    emit(f, DOOR_EVENT_PRINT, tail, 1);
    emit(f, (enum door_event_type)999, tail, 1);
    end(f, SUPERVISOR_CRASHED, "SIGSEGV");
}

static void internal(struct feed *f)
{
    struct door_finding finding = call_too_high();
    images(f);
    at(f, 1000000, 0, 2, 0);
    find(f, &finding);
    end(f, SUPERVISOR_INTERNAL, "the kernel ran out of stack slots");
}

static const struct test tests[] = {
    {"talk", talk, .status = 1},
    {"talk_color", talk, .color = true, .status = 1},
    {"talk_full_stacks", talk, .full_stacks = true, .status = 1},
    {"talk_without_files", talk, .no_files = true, .status = 1},
    {"fault", fault, .status = 1},
    {"going_on", going_on, .go_on = true, .status = 1},
    {"going_on_until_stop", going_on_until_stop, .go_on = true, .status = 1},
    {"partial_lines", partial_lines, .status = 0},
    {"bugcheck_of_the_driver", bugcheck_of_the_driver, .status = 1},
    {"unloaded", unloaded, .go_on = true, .status = 1},
    {"missing", missing, .status = 3},
    {"damaged", damaged, .status = 1},
    {"internal", internal, .status = 70},
    {"no_stacks", no_stacks, .status = 1},
    {"killed", killed, .status = 70},
};
enum { TESTS = sizeof tests / sizeof *tests };

/* ---- JSON, as RFC 8259 has it ------------------------------------------------------------------------------ */

static const char *json_value(const char *p);

static const char *blanks(const char *p)
{
    return p ? p + strspn(p, " \n\t\r") : NULL;
}

static const char *json_quoted(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p == '\\' && !strchr("\"\\/bfnrtu", *++p))
            return NULL;
    }
    return p + 1;
}

/* Members of an object (with keys) or array up to its closing bracket. */
static const char *json_members(const char *p, char close, bool keys)
{
    p = blanks(p);
    if (*p == close)
        return p + 1;
    for (;;) {
        if (keys) {
            p = blanks(json_quoted(p));
            if (!p || *p++ != ':')
                return NULL;
        }
        p = blanks(json_value(blanks(p)));
        if (!p || (*p != ',' && *p != close))
            return NULL;
        if (*p++ == close)
            return p;
        p = blanks(p);
    }
}

/* The end of the value at p; NULL: it is none. */
static const char *json_value(const char *p)
{
    static const char *const words[] = {"true", "false", "null"};
    if (*p == '{')
        return json_members(p + 1, '}', true);
    if (*p == '[')
        return json_members(p + 1, ']', false);
    if (*p == '"')
        return json_quoted(p);
    for (int i = 0; i < 3; i++)
        if (!strncmp(p, words[i], strlen(words[i])))
            return p + strlen(words[i]);
    size_t digits = strspn(p, "0123456789");
    return digits && (digits == 1 || *p != '0') ? p + digits : NULL;
}

/* ---- Golden files ------------------------------------------------------------------------------------------------ */

static void compare(const char *name, const char *kind, const char *text, size_t bytes)
{
    char path[256], *golden = NULL;
    size_t golden_bytes = 0;
    snprintf(path, sizeof path, GOLDEN "%s.%s", name, kind);
    FILE *file = fopen(path, rebase ? "w" : "r");
    if (!file)
        fail_msg("%s cannot be opened (report_test runs in the top folder)", path);
    if (rebase) {
        fwrite(text, 1, bytes, file);
        fclose(file);
        return;
    }
    if (getdelim(&golden, &golden_bytes, 0, file) < 0)
        fail_msg("%s is empty", path);
    fclose(file);
    if (strlen(golden) != bytes || memcmp(golden, text, bytes))
        fail_msg("%s differs; this came out:\n%s", path, text);
    free(golden);
}

static void run_case(void **state)
{
    const struct test *test = *state;
    char *text = NULL, *json = NULL;
    size_t text_bytes, json_bytes;
    struct symbols *symbols = symbols_open("/nonexistent", NULL);
    if (!test->no_files)
        symbols_file(symbols, "stuck.sys", "build/tests/report/stuck.sys");
    struct report_options options = {
        .out = open_memstream(&text, &text_bytes),
        .json = open_memstream(&json, &json_bytes),
        .color = test->color,
        .full_stacks = test->full_stacks,
        .stop_on_finding = !test->go_on,
        .symbols = symbols,
        .again = "irqlab run --seed 0 stuck.sys",
        .processors = 1,
        .ram_bytes = 256 << 20,
        .os_major = 10,
        .os_build = 19045,
    };
    struct feed feed = {.report = report_open(&options)};
    test->run(&feed);
    report_close(feed.report, test->status);
    fclose(options.out);
    fclose(options.json);
    symbols_close(symbols);
    const char *json_end = blanks(json_value(json));
    assert_non_null(json_end);
    assert_int_equal(*json_end, 0);
    compare(test->name, "txt", text, text_bytes);
    compare(test->name, "json", json, json_bytes);
    free(text);
    free(json);
}

int main(int argc, char **argv)
{
    struct CMUnitTest list[TESTS];
    rebase = argc > 1 && !strcmp(argv[1], "--rebase");
    for (int i = 0; i < TESTS; i++)
        list[i] = (struct CMUnitTest){tests[i].name, run_case, NULL, NULL, (void *)&tests[i]};
    return cmocka_run_group_tests_name("report", list, NULL, NULL);
}
