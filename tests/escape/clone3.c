/*
 * Make a process by the newest call there is.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Arguments[11] = {0};

    Arguments[4] = 17; /* SIGCHLD */
    Try("clone3", Syscall(SYS_clone3, (UINT64)Arguments, sizeof(Arguments), 0, 0, 0));
}
