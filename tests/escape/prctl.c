/*
 * Take the sandbox off.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("prctl", Syscall(SYS_prctl, 22 /* PR_SET_SECCOMP */, 0, 0, 0, 0));
}
