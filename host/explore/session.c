/*
 * See session.h.
 *
 * A scenario that has its snapshot in the middle is a Lua script, whose own state cannot be brought back. So each run
 * plays the script from its start, but answers what it asked before the snapshot from a list of the machine's replies.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "explore/session.h"
#include "base/status.h"
#include "scenario/scenario.h"

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

static bool keep_reply(struct session *s, const struct door_command *c)
{
    struct door_command *more = realloc(s->reply, (s->replies + 1) * sizeof *more);
    if (!more)
        return false;
    s->reply = more;
    s->reply[s->replies++] = *c;
    return true;
}

/* False: the machine has ended. */
static bool command(struct session *s, struct door_command *c)
{
    if (s->repeating) {
        if (s->next_reply < s->replies)
            *c = s->reply[s->next_reply++];
        return true;
    }
    if (s->ended || !supervisor_command(s->supervisor, c)) {
        s->ended = true;
        return false;
    }
    return !s->taking || keep_reply(s, c);
}

/* For registry_send: by a scenario, and outside what it asks. */
static bool scenario_sends(void *context, struct door_command *c)
{
    return command(context, c);
}

static bool session_sends(void *context, struct door_command *c)
{
    return supervisor_command(((struct session *)context)->supervisor, c);
}

static struct door_command make_command(uint32_t code, const char *text, uint64_t value)
{
    struct door_command c = {.code = code,
                             .value = value}; /* the kernel's own limits for routines that do not return */
    snprintf(c.text, sizeof c.text, "%s", text);
    return c;
}

static bool simple_command(struct session *s, uint32_t code, const char *text, uint64_t value, uint32_t *status)
{
    struct door_command c = make_command(code, text, value);
    bool alive = command(s, &c);
    if (status)
        *status = c.status;
    return alive;
}

static void remark_status(struct session *s, const char *name, const char *what, uint32_t status)
{
    char text[256];
    const char *known = status_name(status);
    snprintf(text, sizeof text, "%s: %s 0x%08X%s%s", name, what, status, known ? " " : "", known ? known : "");
    if (s->remark)
        s->remark(s->context, text);
}

/* When its image was there and the kernel has nothing to say, it is the driver's own DriverEntry that said no. */
static void load_failed(struct session *s, const struct session_driver *d, bool mapped, bool noted, uint32_t status)
{
    if (status == 0xC000036C) { /* STATUS_DRIVER_BLOCKED: another driver does not let it start, which has been said */
        s->failed = true;
        return;
    }
    if (mapped && !noted) {
        remark_status(s, d->name, "DriverEntry returned", status);
        s->failed = true;
        return;
    }
    if (!noted)
        remark_status(s, d->name, "could not be loaded:", status);
    s->refused = true;
}

static bool load(struct session *s, struct session_driver *d, uint32_t *status)
{
    unsigned mapped = s->mapped, notes = s->notes;
    if (!simple_command(s, DOOR_COMMAND_LOAD, d->name, 0, status))
        return false;
    d->loaded = *status < 0x80000000;
    if (!d->loaded && !s->repeating)
        load_failed(s, d, s->mapped > mapped, s->notes > notes, *status);
    return true;
}

static bool unload(struct session *s, const char *name, uint32_t *status)
{
    unsigned notes = s->notes;
    if (!simple_command(s, DOOR_COMMAND_UNLOAD, name, 0, status))
        return false;
    if (*status >= 0x80000000 && !s->repeating && s->notes == notes)
        remark_status(s, *name ? name : "unload", *name ? "could not be unloaded:" : "failed:", *status);
    return true;
}

/* ---- The schedule ------------------------------------------------------------------------------------------------ */

static void tell_schedule(struct session *s)
{
    const struct door_schedule *from = s->schedule;
    struct door_schedule *to = supervisor_schedule(s->supervisor);
    memcpy(to, from, offsetof(struct door_schedule, plan) + from->plan_picks * sizeof from->plan[0]);
    to->points = to->made_picks = to->flows = to->unmet = 0;
}

/* Here the schedule begins; and the snapshot is taken, or the machine is back at it. False: go no further. */
static bool begin(struct session *s)
{
    if (s->taking) {
        s->taking = false;
        s->began = supervisor_snapshot(s->supervisor);
        for (int i = 0; i < s->drivers; i++)
            s->loaded_then[i] = s->driver[i].loaded;
        s->prints_then = s->prints;
        memcpy(s->slots_then, s->calls.slot, sizeof s->slots_then);
        return s->going_on = false; /* the runs come afterwards */
    }
    s->repeating = false;
    s->began = true;
    if (!s->schedule)
        return true;
    tell_schedule(s);
    return simple_command(s, DOOR_COMMAND_SCHEDULE, "", 0, NULL);
}

/* ---- The scenario ------------------------------------------------------------------------------------------------ */

struct session_driver *session_driver_named(struct session *s, const char *name)
{
    for (int i = 0; i < s->drivers; i++)
        if (!strcmp(s->driver[i].path, name) || !strcasecmp(s->driver[i].name, name))
            return &s->driver[i];
    return NULL;
}

static bool script_advance(void *context, uint64_t time)
{
    return simple_command(context, DOOR_COMMAND_ADVANCE, "", time, NULL);
}

static bool script_load(void *context, const char *name, uint32_t *status)
{
    return load(context, session_driver_named(context, name), status);
}

static bool script_unload(void *context, const char *name, uint32_t *status)
{
    return unload(context, session_driver_named(context, name)->name, status);
}

static bool script_known(void *context, const char *name)
{
    return session_driver_named(context, name) != NULL;
}

static bool script_named(void *context, uint32_t code, const char *name, uint64_t *value, uint32_t *status)
{
    struct session *s = context;
    struct door_command c = make_command(code, name, *value);
    bool alive = command(s, &c);
    *value = c.value;
    *status = c.status;
    return alive;
}

static bool script_command(void *context, uint32_t code, uint64_t *value, uint32_t *status)
{
    return script_named(context, code, "", value, status);
}

static bool script_call(void *context, struct door_call *call, uint8_t *data, bool wait, uint64_t limit, uint32_t *slot)
{
    return calls_make(context, call, data, wait, limit, slot);
}

static void script_collect(void *context, uint32_t slot, struct door_call *call, uint8_t *data)
{
    calls_collect(context, slot, call, data);
}

static bool script_registry(void *context, const struct registry_stream *request, struct registry_stream *answer,
                            uint32_t *status)
{
    return registry_send(scenario_sends, context, request, answer, status);
}

static bool script_print(void *context, unsigned index, struct scenario_print *print)
{
    const struct session *s = context;
    if (index >= s->prints)
        return false;
    const struct session_print *p = &s->print[index];
    *print = (struct scenario_print){p->text, p->bytes, p->time, p->processor, p->level};
    return true;
}

static bool script_snapshot(void *context)
{
    struct session *s = context;
    if (s->from != SESSION_SCENARIO || (s->began && !s->repeating))
        return true;
    return begin(s);
}

/* False: the machine has ended, or shall go no further. */
static bool play(struct session *s)
{
    struct scenario_result result;
    struct scenario_machine machine = {.context = s,
                                       .advance = script_advance,
                                       .load = script_load,
                                       .unload = script_unload,
                                       .known = script_known,
                                       .snapshot = script_snapshot,
                                       .command = script_command,
                                       .named = script_named,
                                       .call = script_call,
                                       .collect = script_collect,
                                       .registry = script_registry,
                                       .print = script_print,
                                       .out = s->out,
                                       .seed = s->seed};
    scenario_run(s->scenario, s->script, s->script_bytes, &machine, &result);
    s->expects_bugcheck = result.expects_bugcheck;
    s->bugcheck = result.bugcheck;
    if (*result.error) {
        snprintf(s->error, sizeof s->error, "%s", result.error);
        s->refused = !result.unmet;
        s->failed |= result.unmet;
    }
    return !s->ended && !s->stopped && s->going_on;
}

/* ---- A run ------------------------------------------------------------------------------------------------------- */

static void forget_prints(struct session *s, unsigned from)
{
    while (s->prints > from)
        free(s->print[--s->prints].text);
}

/* As much as a script can make use of; what comes later is only shown. */
static void keep_print(struct session *s, const struct door_event *event, const char *text)
{
    uint32_t bytes = event->payload && text[event->payload - 1] == '\n' ? event->payload - 1 : event->payload;
    struct session_print *more = s->prints < SESSION_PRINTS ? realloc(s->print, (s->prints + 1) * sizeof *more) : NULL;
    char *copy = more ? malloc(bytes + 1) : NULL;
    if (more)
        s->print = more;
    if (!copy)
        return;
    memcpy(copy, text, bytes);
    s->print[s->prints++] = (struct session_print){event->time, event->processor, event->irql, bytes, copy};
}

/* We look at the events first: which images came, has it stopped. */
static void sink(void *context, const struct door_event *event, const void *payload)
{
    struct session *s = context;
    if (event->type == DOOR_EVENT_IMAGE)
        s->mapped += ((const struct door_event_image *)payload)->driver == 1;
    if (event->type == DOOR_EVENT_PRINT && s->script)
        keep_print(s, event, payload);
    s->notes += event->type == DOOR_EVENT_NOTE;
    if (event->type == DOOR_EVENT_STOP)
        s->stopped = true;
    s->sink(s->context, event, payload);
}

void session_reset(struct session *s)
{
    s->failed = s->refused = s->began = s->expects_bugcheck = false;
    s->stopped = s->taking = s->going_on = s->repeating = s->ended = false;
    s->mapped = s->notes = s->next_reply = 0;
    s->calls.next = 0;
    *s->error = 0;
}

enum { STATUS_DAMAGED_HIVE = 0xC000014C };

bool session_start(struct session *s, const struct supervisor_options *options, char why[256])
{
    s->supervisor = supervisor_start(options, sink, s, why);
    if (!s->supervisor)
        return false;
    for (int i = 0; i < s->drivers; i++)
        if (!supervisor_offer(s->supervisor, s->driver[i].name, s->driver[i].bytes, s->driver[i].size)) {
            snprintf(why, 256, "%.200s: the machine has no room for it", s->driver[i].name);
            return false;
        }
    uint32_t status = 0;
    if (s->registry.size && (!registry_send(session_sends, s, &s->registry, NULL, &status) || status >= 0x80000000)) {
        remark_status(s, "--registry", status == STATUS_DAMAGED_HIVE ? "a damaged hive:" : "could not be set:", status);
        s->refused = true;
    }
    return true;
}

/* The whole registry but what is volatile; or one key as a hive. */
static void save_registry(struct session *s)
{
    struct registry_stream request = {0}, answer = {0};
    enum door_registry_op op = *s->save_key ? DOOR_REGISTRY_SAVE : DOOR_REGISTRY_EXPORT;
    uint32_t status = 0;
    if (!s->save_registry || s->ended)
        return;
    bool good = registry_add_text(&request, op, s->save_key, NULL, 0, NULL, 0) &&
                registry_send(session_sends, s, &request, &answer, &status) && status < 0x80000000 &&
                (*s->save_key ? fwrite(answer.bytes, 1, answer.size, s->save_registry) == answer.size
                              : registry_write(&answer, s->save_registry));
    if (!good && s->remark)
        s->remark(s->context, "the registry could not be saved");
    free(request.bytes);
    free(answer.bytes);
}

/* An in-machine test. False: the machine has ended. */
static bool call_test(struct session *s)
{
    char what[320];
    unsigned notes = s->notes;
    uint32_t status = 0;
    snprintf(what, sizeof what, "%.120s!%.190s", s->driver[s->drivers - 1].name, s->test);
    if (!simple_command(s, DOOR_COMMAND_TEST, what, 0, &status))
        return false;
    if (status >= 0x80000000) {
        s->failed = true;
        if (s->notes == notes)
            remark_status(s, what, "returned", status);
    }
    return true;
}

/* What the user has bound to devices, before the first driver is loaded. */
static bool bind_devices(struct session *s)
{
    uint32_t status = 0;
    for (int i = 0; i < s->devices; i++) {
        if (!simple_command(s, DOOR_COMMAND_DEVICE, s->device[i], DOOR_DEVICE_BIND, &status))
            return false;
        if (status >= 0x80000000 && !s->repeating)
            remark_status(s, s->device[i], "is no device:", status);
    }
    return true;
}

/* Devices are bound before the schedule begins, so once where it begins at the start. */
static void run_from(struct session *s, bool loads)
{
    uint32_t status = 0;
    s->going_on = true;
    if (loads) {
        if (!(s->from == SESSION_BOOT && s->began) && !bind_devices(s))
            return;
        if (s->from == SESSION_BOOT && !begin(s))
            return;
        for (int i = 0; i < s->drivers && !s->failed && !s->refused; i++)
            if (!load(s, &s->driver[i], &status))
                return;
    }
    if (!s->failed && !s->refused) {
        if (s->from == SESSION_LOADED && !begin(s))
            return;
        if (s->operate  ? !s->operate(s, s->operator)
            : s->test   ? !call_test(s)
            : s->script ? !play(s)
                        : !simple_command(s, DOOR_COMMAND_ADVANCE, "", s->time, NULL))
            return;
    }
    if (!unload(s, "", &status))
        return;
    if (!s->taking)
        save_registry(s);
    simple_command(s, DOOR_COMMAND_END, "", 0, NULL);
}

void session_operate(struct session *s)
{
    run_from(s, true);
}

bool session_reach(struct session *s)
{
    s->taking = true;
    run_from(s, true);
    return s->began && !s->ended;
}

/* Without a script the commands are known beforehand. */
static bool again_in_one_go(struct session *s)
{
    struct door_command commands[SESSION_DRIVERS + 4];
    unsigned count = 0;
    tell_schedule(s);
    commands[count++] = make_command(DOOR_COMMAND_SCHEDULE, "", 0);
    for (int i = 0; i < s->drivers && s->from == SESSION_BOOT; i++)
        commands[count++] = make_command(DOOR_COMMAND_LOAD, s->driver[i].name, 0);
    commands[count++] = make_command(DOOR_COMMAND_ADVANCE, "", s->time);
    commands[count++] = make_command(DOOR_COMMAND_UNLOAD, "", 0);
    commands[count++] = make_command(DOOR_COMMAND_END, "", 0);
    if (!supervisor_again(s->supervisor, commands, count))
        return false;
    for (unsigned i = 0; commands[1 + i].code == DOOR_COMMAND_LOAD; i++)
        if (commands[1 + i].status >= 0x80000000) {
            load_failed(s, &s->driver[i], s->mapped > i, s->notes > 0, commands[1 + i].status);
            break;
        }
    return true;
}

bool session_again(struct session *s)
{
    bool began = s->began;
    session_reset(s);
    s->began = began;
    if (!s->script)
        return again_in_one_go(s);
    if (!supervisor_restore(s->supervisor))
        return false;
    for (int i = 0; i < s->drivers; i++)
        s->driver[i].loaded = s->loaded_then[i];
    forget_prints(s, s->prints_then);
    memcpy(s->calls.slot, s->slots_then, sizeof s->slots_then);
    if (s->from == SESSION_SCENARIO)
        s->repeating = true;
    run_from(s, s->from == SESSION_BOOT || s->from == SESSION_SCENARIO);
    return true;
}

void session_finish(struct session *s, struct supervisor_end *end)
{
    if (s->supervisor)
        supervisor_finish(s->supervisor, end);
    s->supervisor = NULL;
    free(s->reply);
    forget_prints(s, 0);
    free(s->print);
    s->print = NULL;
    calls_free(s);
    s->reply = NULL;
    s->replies = 0;
}
