/*
 * Text without stdio: the worker may not call anything that could allocate, lock or make a system call. Everything is
 * cut at the buffer's end and always terminated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* %s, %u (uint32_t), %d (int), %x (uint32_t), %X (uint64_t, with 0x). */
void text_format(char *buffer, size_t bytes, const char *format, ...);
void text_copy(char *buffer, size_t bytes, const char *from);

/* As strcasecmp for ASCII, whatever the locale. */
int text_compare_case(const char *a, const char *b);
