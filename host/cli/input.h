/*
 * Files the user names. Whatever is wrong with one gives a line to stderr ("irqlab: stuck.sys: is a directory") and
 * false.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct input {
    unsigned char *bytes; /* a terminating zero follows them */
    size_t size;
};

/* Read a whole regular file of at most limit bytes. what: "driver image", for the message. */
bool input_read(const char *path, const char *what, size_t limit, struct input *in);

bool input_directory(const char *path); /* exists, is one, can be read */
FILE *input_create(const char *path);   /* for writing; NULL: said so */

/* The directory with ntoskrnl.exe and hal.dll: beside the program (in nt/), or in ../lib/irqlab. False, without a
 * message: there is none, and path is the first of both. */
bool input_kernel_dir(char *path, size_t room);
