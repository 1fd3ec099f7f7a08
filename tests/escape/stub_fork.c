/*
 * Have the worker's own system call stub make a process.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("fork", HostCall(FindStub(), SYS_fork, 0, 0, 0, 0, 0, 0));
}
