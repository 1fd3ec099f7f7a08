/* See trace.h. */
#include <string.h>
#include "base/status.h"
#include "report/trace.h"
#include "report/words.h"

static const char *const majors[] = {
    "CREATE",
    "CREATE_NAMED_PIPE",
    "CLOSE",
    "READ",
    "WRITE",
    "QUERY_INFORMATION",
    "SET_INFORMATION",
    "QUERY_EA",
    "SET_EA",
    "FLUSH_BUFFERS",
    "QUERY_VOLUME_INFORMATION",
    "SET_VOLUME_INFORMATION",
    "DIRECTORY_CONTROL",
    "FILE_SYSTEM_CONTROL",
    "DEVICE_CONTROL",
    "INTERNAL_DEVICE_CONTROL",
    "SHUTDOWN",
    "LOCK_CONTROL",
    "CLEANUP",
    "CREATE_MAILSLOT",
    "QUERY_SECURITY",
    "SET_SECURITY",
    "POWER",
    "SYSTEM_CONTROL",
    "DEVICE_CHANGE",
    "QUERY_QUOTA",
    "SET_QUOTA",
    "PNP",
};

static const char *const pnp_minors[] = {
    "START_DEVICE",
    "QUERY_REMOVE_DEVICE",
    "REMOVE_DEVICE",
    "CANCEL_REMOVE_DEVICE",
    "STOP_DEVICE",
    "QUERY_STOP_DEVICE",
    "CANCEL_STOP_DEVICE",
    "QUERY_DEVICE_RELATIONS",
    "QUERY_INTERFACE",
    "QUERY_CAPABILITIES",
    "QUERY_RESOURCES",
    "QUERY_RESOURCE_REQUIREMENTS",
    "QUERY_DEVICE_TEXT",
    "FILTER_RESOURCE_REQUIREMENTS",
    NULL,
    "READ_CONFIG",
    "WRITE_CONFIG",
    "EJECT",
    "SET_LOCK",
    "QUERY_ID",
    "QUERY_PNP_DEVICE_STATE",
    "QUERY_BUS_INFORMATION",
    "DEVICE_USAGE_NOTIFICATION",
    "SURPRISE_REMOVAL",
    "QUERY_LEGACY_BUS_INFORMATION",
    "DEVICE_ENUMERATED",
};

static const char *const power_minors[] = {"WAIT_WAKE", "POWER_SEQUENCE", "SET_POWER", "QUERY_POWER"};

static const char *const whats[] = {
    [DOOR_IO_SENT] = "sent",       [DOOR_IO_RETURNED] = "returned", [DOOR_IO_COMPLETED] = "completed",
    [DOOR_IO_ROUTINE] = "routine", [DOOR_IO_KEPT] = "kept",         [DOOR_IO_BACK] = "back",
};

#define NAME(table, index) ((index) < sizeof(table) / sizeof *(table) ? (table)[index] : NULL)

static void function_text(char *text, size_t room, const struct door_event_io *e)
{
    const char *major = NAME(majors, e->major);
    const char *minor = e->major == 0x1b   ? NAME(pnp_minors, e->minor)
                        : e->major == 0x16 ? NAME(power_minors, e->minor)
                                           : NULL;
    int n = major ? snprintf(text, room, "IRP_MJ_%s", major) : snprintf(text, room, "IRP_MJ 0x%02x", e->major);
    if (minor)
        snprintf(text + n, room - (size_t)n, " IRP_MN_%s", minor);
    else if (e->minor)
        snprintf(text + n, room - (size_t)n, " minor 0x%02x", e->minor);
}

static void show_status(FILE *out, uint32_t status)
{
    const char *name = status_name(status);
    fprintf(out, "0x%08X%s%s", status, name ? " " : "", name ? name : "");
}

static void show_driver(FILE *out, const struct door_event_io *e)
{
    if (*e->driver)
        words_safe(out, e->driver, strlen(e->driver));
    else
        fputs("its issuer", out);
}

static void show_sent(FILE *out, const struct door_event_io *e)
{
    char function[80];
    function_text(function, sizeof function, e);
    fputs(function, out);
    if (e->major == 0xe || e->major == 0xf)
        fprintf(out, " 0x%X (%u bytes in, %u out)", e->code, e->input, e->output);
    else if (e->major == 3 || e->major == 4)
        fprintf(out, " (%u bytes)", e->major == 3 ? e->output : e->input);
    fputs(" to ", out);
    words_safe(out, *e->device ? e->device : "a device", strlen(*e->device ? e->device : "a device"));
    fputs(" of ", out);
    show_driver(out, e);
    if (e->locations > 1)
        fprintf(out, ", location %u of %u", e->location, e->locations);
    if (e->process)
        fprintf(out, ", for process %u", e->process);
}

static void show_line(FILE *out, const struct door_event_io *e, const char *routine)
{
    fprintf(out, "irp %u: ", e->irp);
    switch (e->what) {
    case DOOR_IO_SENT:
        show_sent(out, e);
        break;
    case DOOR_IO_RETURNED:
        fputs("the dispatch routine of ", out);
        show_driver(out, e);
        fputs(" returned ", out);
        show_status(out, e->status);
        break;
    case DOOR_IO_COMPLETED:
        fputs("completed by ", out);
        show_driver(out, e);
        fputs(": ", out);
        show_status(out, e->status);
        fprintf(out, ", information %llu", (unsigned long long)e->information);
        break;
    case DOOR_IO_ROUTINE:
        fprintf(out, "completion routine %s", *routine ? routine : "of the kernel");
        break;
    case DOOR_IO_KEPT:
        fputs("kept by the completion routine (STATUS_MORE_PROCESSING_REQUIRED)", out);
        break;
    case DOOR_IO_BACK:
        if (e->process)
            fprintf(out, "back in process %u: ", e->process);
        else
            fputs("ended, its thread is gone: ", out);
        show_status(out, e->status);
        fprintf(out, ", information %llu", (unsigned long long)e->information);
        break;
    }
    fputc('\n', out);
}

void trace_io_show(struct json *json, FILE *out, bool color, struct symbols *symbols, const struct door_event *event,
                   const struct door_event_io *e)
{
    char routine[256] = "", function[80];
    if (e->what >= sizeof whats / sizeof *whats || !whats[e->what])
        return;
    if (e->routine)
        symbols_place(symbols, e->routine, routine, sizeof routine);
    trace_head(out, color, event);
    show_line(out, e, routine);
    json_begin(json, NULL, '{');
    json_string(json, "type", "io");
    json_number(json, "time", event->time);
    json_number(json, "cpu", event->processor);
    json_number(json, "irql", event->irql);
    json_number(json, "thread", event->thread);
    json_number(json, "irp", e->irp);
    json_string(json, "what", whats[e->what]);
    if (e->what == DOOR_IO_SENT) {
        function_text(function, sizeof function, e);
        json_string(json, "function", function);
        json_number(json, "location", e->location);
        json_number(json, "locations", e->locations);
        json_hex(json, "code", e->code);
        json_number(json, "input", e->input);
        json_number(json, "output", e->output);
    }
    if (e->what == DOOR_IO_SENT || e->what == DOOR_IO_RETURNED || e->what == DOOR_IO_COMPLETED) {
        json_text(json, "driver", e->driver, strlen(e->driver));
        json_text(json, "device", e->device, strlen(e->device));
    }
    if (e->what == DOOR_IO_RETURNED || e->what == DOOR_IO_COMPLETED || e->what == DOOR_IO_BACK)
        json_hex(json, "status", e->status);
    if (e->what == DOOR_IO_COMPLETED || e->what == DOOR_IO_BACK)
        json_number(json, "information", e->information);
    if (e->what == DOOR_IO_SENT || e->what == DOOR_IO_BACK)
        json_number(json, "process", e->process);
    if (e->what == DOOR_IO_ROUTINE)
        json_string(json, "routine", routine);
    json_end(json, '}');
}
