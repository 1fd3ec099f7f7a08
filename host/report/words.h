/*
 * Small pieces of text that all reports share: levels, virtual time, and text of the driver made safe to show.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "DISPATCH_LEVEL (2)", "DIRQL (5)". */
const char *words_level(char *text, size_t room, unsigned irql);

/* "DISPATCH", "DIRQL5": the column before a printed line. */
const char *words_level_short(char *text, size_t room, unsigned irql);

/* Write text that a driver chose: control characters and bytes that are no UTF-8 as \xNN, so that it can't steer the
 * terminal. Tabs pass. */
void words_safe(FILE *out, const char *text, size_t bytes);

/* The same into a buffer, cut at its end. */
void words_safe_copy(char *to, size_t room, const char *text, size_t bytes);

/* Bytes of the UTF-8 sequence at text (1..4); 0 = not a valid one. */
size_t words_utf8(const char *text, size_t bytes);
