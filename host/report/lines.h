/*
 * What drivers print, as lines: "[    1.000000 cpu0 DISPATCH] text". DbgPrint is often called for parts of a line, and
 * other processors print meanwhile: parts are collected for each processor, as long as the same thread prints at the
 * same level, and shown when the line ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "door.h"
#include "report/json.h"

struct lines;

struct lines *lines_open(FILE *out, bool color, struct json *json);
void lines_close(struct lines *l);
void lines_add(struct lines *l, const struct door_event *event, const char *text, size_t bytes);
/* Show what has no newline yet. */
void lines_flush(struct lines *l);
