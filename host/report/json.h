/*
 * Writes one JSON document piece by piece, so that a run of any length needs no memory for it. The caller keeps the
 * order: inside an object each value has a key, inside an array none has. Write errors stay in the FILE, for ferror at
 * the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out; /* NULL: nothing is written */
    unsigned depth;
    bool filled; /* the innermost object or array has a member */
};

/* key NULL: inside an array, or the document itself. bracket: '{' or '['. */
void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value); /* value NULL: null */
void json_text(struct json *j, const char *key, const char *value, size_t bytes);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_hex(struct json *j, const char *key, uint64_t value); /* "0x1a", as a string */
