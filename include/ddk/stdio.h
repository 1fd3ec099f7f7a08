/*
 * Formatted text as kernel mode has it: what ntoskrnl.exe exports, no files, and none of the functions that a program's library
 * carries along (snprintf).
 */
#pragma once
#include <wchar.h>
#include_next <stdio.h>
