/*
 * Return from a signal that never came, with registers of our own.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("rt_sigreturn", Syscall(SYS_rt_sigreturn, 0, 0, 0, 0, 0));
}
