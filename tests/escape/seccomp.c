/*
 * Put a filter of our own in the place of the sandbox'.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("seccomp", Syscall(SYS_seccomp, 1, 0, 0, 0, 0));
}
