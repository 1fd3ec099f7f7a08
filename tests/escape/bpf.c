/*
 * Load a program into the host's kernel.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("bpf", Syscall(SYS_bpf, 0, 0, 0, 0, 0));
}
