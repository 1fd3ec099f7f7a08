/*
 * File names as Windows' file systems see them: which are possible, and which mean the same.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One path component, UTF-8. The device names of MS-DOS (CON, NUL) are refused by Win32, not by the file system, so
 * drivers may use them. */
bool names_valid(const char *name);

/* Order without regard to letter case; 0 = the same name. */
int names_compare(const char *a, const char *b);

/* Equal for names that mean the same. */
uint64_t names_hash(const char *name);
