/*
 * Put a handler of our own under the host's signals.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Action[4] = {0};

    Try("rt_sigaction", Syscall(SYS_rt_sigaction, 11, (UINT64)Action, 0, 8, 0));
}
