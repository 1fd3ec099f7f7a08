/*
 * Make a thread that nobody watches.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("clone", Syscall(SYS_clone, 0x11 /* SIGCHLD */, 0, 0, 0, 0));
}
