/*
 * Ask for the host's I/O ports.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("iopl", Syscall(SYS_iopl, 3, 0, 0, 0, 0));
    Try("ioperm", Syscall(SYS_ioperm, 0, 1024, 1, 0, 0));
}
