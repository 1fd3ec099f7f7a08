/*
 * From addresses of the machine to names: which image, which function, which source line. Knows the images of the
 * event record, also those unloaded since, and finds their files: the driver's own file as the user named it, one of
 * the same name in --symbols DIR, or the kernel's modules.
 *
 * All strings handed out live as long as the struct symbols.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "door.h"

struct symbols;

/* kernel_dir: where ntoskrnl.exe lies. directory: --symbols, may be NULL. */
struct symbols *symbols_open(const char *kernel_dir, const char *directory);
void symbols_close(struct symbols *s);

/* The file that an image of this name comes from. */
void symbols_file(struct symbols *s, const char *name, const char *path);

void symbols_image(struct symbols *s, const struct door_event_image *image);
void symbols_unimage(struct symbols *s, const struct door_event_image *image);

struct symbols_frame {
    const char *module;   /* "stuck.sys"; NULL: the address is in no image */
    uint32_t offset;      /* in the image; of the address itself, also when the line is that of the call before it */
    const char *function; /* NULL: unknown */
    uint32_t function_offset; /* offset - start of the function; ~0 = start unknown */
    const char *file; /* path as the debug data has it, relative if below the working directory; NULL: unknown */
    uint32_t line, column;
    bool driver;  /* a checked driver's image, not a module of the kernel */
    bool inlined; /* inlined into the next frame */
};

#define SYMBOLS_INLINES 8

enum symbols_address {
    SYMBOLS_RETURN, /* where a call returns to: the line is the call's */
    SYMBOLS_EXACT,  /* the instruction itself */
    SYMBOLS_GUESS,  /* a return address if there is a call before it */
};

/* Frames for an address, inlined ones first; at least one. A return address is looked up one byte earlier. */
unsigned symbols_resolve(struct symbols *s, uint64_t address, enum symbols_address kind,
                         struct symbols_frame frames[SYMBOLS_INLINES]);

/* The routine that the call returning to address calls, as far as the code before it tells; else NULL. */
const char *symbols_called(struct symbols *s, uint64_t address);

/* A stable name for an object's address: "'StuckTimer'", "'Device'+0x40", "stuck.sys+0x3040", "pool+0x1240". */
const char *symbols_object(struct symbols *s, uint64_t address, char *name, size_t room);

/* "stuck.sys!TimerDpc+0x2c" for an address in an image's code, "" for any other. */
void symbols_place(struct symbols *s, uint64_t address, char *text, size_t room);

/* True when the address lies in a checked driver. */
bool symbols_driver(const struct symbols *s, uint64_t address);

/* The last component of a path of either kind. */
const char *symbols_base(const char *path);
