/* Paragraphs for a terminal: text broken at blanks, a label before the first line, the rest indented below it. */
#pragma once

#include <stdio.h>

/* Label and text; nothing when text is NULL. The text starts at column `indent`. */
void wrap_print(FILE *out, const char *label, int indent, const char *text);
