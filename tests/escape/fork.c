/*
 * Leave a process behind.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("fork", Syscall(SYS_fork, 0, 0, 0, 0, 0));
}
