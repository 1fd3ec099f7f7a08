/*
 * Ask for calls to be made by the host's kernel itself.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Parameters[15] = {0};

    Try("io_uring_setup", Syscall(SYS_io_uring_setup, 1, (UINT64)Parameters, 0, 0, 0));
}
