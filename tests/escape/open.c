/*
 * Make a file of the host's by a raw system call.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("openat", Syscall(SYS_openat, AT_FDCWD, (UINT64)VICTIM "/open", O_WRONLY | O_CREAT, 0666, 0));
}
