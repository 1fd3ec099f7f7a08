/*
 * llvm-symbolizer as a child on a pipe: source file, line and inlined callers for an address in a PE image with DWARF
 * or a PDB. Started at the first question (its start costs some 30 ms), so a clean run never pays for it.
 *
 * It reads files a driver's author made, so it gets limits on memory and CPU time, and an answer that does not come
 * in time ends it; the reports then go on without lines.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbolizer;

/* Path of an installed llvm-symbolizer, NULL when there is none. */
const char *symbolizer_path(char *path, size_t room);

struct symbolizer *symbolizer_open(void);
void symbolizer_close(struct symbolizer *s);

struct symbolizer_frame {
    char function[256]; /* "" = unknown */
    char file[512];     /* as the debug data has it; "" = unknown */
    uint32_t line, column;
    uint32_t start_line; /* where the function begins; 0 = unknown */
};

/* Frames at the image's rva, innermost inlined one first. 0 = it knows nothing. */
unsigned symbolizer_ask(struct symbolizer *s, const char *image, uint32_t rva, struct symbolizer_frame *frames,
                        unsigned room);
