/*
 * Events of drivers' providers (Event Tracing for Windows), as the machine recorded them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "door.h"
#include "report/json.h"

/* One line on out and one object in json: provider, descriptor, activity, data as hexadecimal digits, and as text where
 * they are text. */
void trace_show(struct json *json, FILE *out, bool color, const struct door_event *event, const void *payload,
                size_t bytes);
