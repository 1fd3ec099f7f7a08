/*
 * Tests of the runtime library: what the test image (PE, linked with the kernel's own rtl objects) and the ELF harness
 * that maps it share. The image's entry point is TestStart(struct rtltest_host *).
 */
#pragma once

#include "door.h"

struct rtltest_host {
    /* filled by the harness */
    void(DOOR_CALL *print)(const char *text);
    void(DOOR_CALL *exit)(int status) __attribute__((noreturn));
    uint64_t(DOOR_CALL *nanoseconds)(void); /* for figures only, never for a verdict */
    uint32_t figures;                       /* 1 = measure, 0 = test */
    uint32_t verbose;                       /* 1 = name each test before it runs */
    /* filled by the image */
    uint64_t trap; /* RCX = struct door_trap *, on the interrupted stack */
};

#define RTLTEST_IMAGE_BASE 0x00001a0000000000ull
