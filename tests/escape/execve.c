/*
 * Become another program.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    PCSTR Arguments[] = {"touch", VICTIM "/execve", NULL};

    Try("execve", Syscall(SYS_execve, (UINT64) "/usr/bin/touch", (UINT64)Arguments, 0, 0, 0));
}
