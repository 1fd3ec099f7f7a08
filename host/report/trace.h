/*
 * What --trace asks for, as the machine recorded it: events of drivers' providers (Event Tracing for Windows), and the
 * steps of requests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "door.h"
#include "report/json.h"
#include "report/symbols.h"

/* One line on out and one object in json: provider, descriptor, activity, data as hexadecimal digits, and as text where
 * they are text. */
void trace_show(struct json *json, FILE *out, bool color, const struct door_event *event, const void *payload,
                size_t bytes);

/* The same for one step of a request. */
void trace_io_show(struct json *json, FILE *out, bool color, struct symbols *symbols, const struct door_event *event,
                   const struct door_event_io *e);

/* How a line begins: time, processor, level. */
void trace_head(FILE *out, bool color, const struct door_event *event);
