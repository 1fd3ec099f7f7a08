/*
 * A trap handler for test kernels: it keeps what came and goes on where the test wants.
 */
#pragma once

#include "kernel.h"

struct seen {
    unsigned count;
    uint32_t vector, error;
    uint64_t address, rip, rsp, trap;
    uint64_t flags;
};
extern struct seen Seen;

/* What the handler does: with After, Rip and Rsp become these; without, the context is continued as it is. */
extern uint64_t After;
/* Called in the handler first, when set; returns 1 = dealt with, just continue. */
extern int (*Hook)(struct door_trap *trap);

#define REGISTER(trap, offset) (*(uint64_t *)((trap)->context + (offset)))
enum { RAX = 0x78, RCX = 0x80, RDX = 0x88, RBX = 0x90, RSP = 0x98, R11 = 0xd0, RIP = 0xf8 };

void TrapsInstall(void);

/* A page of "driver" code: executable memory behind the boot images. Runs the bytes of [from, to) there as
 * f(rcx, rdx) -> rax. A trap that is not continued ends it: the handler returns from it with rax = 0xdead. */
uint64_t Run(const void *from, const void *to, uint64_t a, uint64_t b);
uint64_t CodePage(void);
