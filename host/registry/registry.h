/*
 * The machine's registry as the host sees it: streams of struct door_registry records (include/door.h), made from a
 * .reg text or a hive file, sent to a machine, and written as text again.
 *
 * Files come from anywhere: every length and character is checked, and what is wrong is told with its line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "door.h"

/* Records one behind the other, each padded to 8 bytes. Zeroed to begin with; free(bytes) in the end. */
struct registry_stream {
    uint8_t *bytes;
    size_t size, room;
};

enum { REGISTRY_MOST = 64 << 20 /* bytes of a stream */, REGISTRY_KEY_ROOM = 1024 };

/* Texts are UTF-16. False: no memory, or a name or the whole is too long. */
bool registry_add(struct registry_stream *s, enum door_registry_op op, const uint16_t *key, size_t key_units,
                  const uint16_t *name, size_t name_units, uint32_t type, const void *data, size_t bytes);

/* Bytes at the end. */
bool registry_append(struct registry_stream *s, const void *bytes, size_t count);

/* A record with its texts in UTF-8 (a key without its \Registry\: "MACHINE\SYSTEM"); for scenarios. */
bool registry_add_text(struct registry_stream *s, enum door_registry_op op, const char *key, const char *name,
                       uint32_t type, const void *data, size_t bytes);

struct registry_record {
    struct door_registry header;
    const uint16_t *key, *name;
    const uint8_t *data;
};

/* The record at *at, which goes to the next one. False: there is none, or it is damaged. */
bool registry_next(const struct registry_stream *s, size_t *at, struct registry_record *record);

/* .reg text: "Windows Registry Editor Version 5.00" (UTF-16 or UTF-8) or REGEDIT4. False: why, with the line. */
bool registry_parse(struct registry_stream *s, const void *text, size_t bytes, char why[256]);

/* What --registry names: [KEY=]FILE, a text or a hive. A hive without a key goes where its file's name says (SYSTEM,
 * SOFTWARE, SAM, SECURITY, DEFAULT). */
bool registry_read(struct registry_stream *s, const char *argument, char why[256]);

/* What --save-registry names: [KEY=]FILE. The file's part of it; *key: what a hive is to be written of ("" = all keys, as
 * text). NULL: no good key. */
const char *registry_place(const char *argument, char key[REGISTRY_KEY_ROOM]);

/* The keys and values of an export, as .reg text in UTF-16. */
bool registry_write(const struct registry_stream *s, FILE *out);

/* How a command goes to the machine; false: it has ended. */
typedef bool registry_command_fn(void *context, struct door_command *command);

/* Carry out a request in the machine, between two commands. answer may be NULL. False: the machine has ended. */
bool registry_send(registry_command_fn *command, void *context, const struct registry_stream *request,
                   struct registry_stream *answer, uint32_t *status);
