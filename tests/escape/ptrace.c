/*
 * Trace the supervisor, whose child we are.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("ptrace", Syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, 1, 0, 0, 0));
}
