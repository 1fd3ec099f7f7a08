/*
 * What the small test kernels share: ntoskrnl.exe images that do nothing but exercise the machine. They speak with the
 * test by notes in the event record.
 */
#pragma once

#include <stddef.h>
#include "door.h"

extern struct door *Door;

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);

void Say(const char *text);
void SayNumber(const char *text, uint64_t value); /* "text 0x12" */
void Need(int condition, const char *text);       /* ends the machine with an internal error when it is not so */
int Asked(const char *text);                      /* is this the command's text? */
void TestMain(void);                              /* one per kernel; returns = clean end */
